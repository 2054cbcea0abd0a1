"""Repeated ids are counted shard by shard, as a look at one row after the other would."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.plan_types import Unit
from pipelines.output.repeated_ids import id_digests, repeated_ids


def one_by_one(shards: list[list[int]]) -> list[str]:
    """The beginnings of what is due."""
    seen: dict[int, tuple[int, int]] = {}
    told = []
    for place, ids in enumerate(shards):
        repeats = []
        for row, value in enumerate(ids):
            if value in seen:
                repeats.append((row, *seen[value]))
            seen.setdefault(value, (place, row))
        if repeats:
            row, before, earlier = repeats[0]
            where = "" if before == place else f" of part-000000-{before:06d}"
            told.append(
                f"part-000000-{place:06d}.parquet: {len(repeats)} of its ids are there before: "
                f"row {row} has the id of row {earlier}{where};"
            )
    return told


@given(st.lists(st.lists(st.integers(-3, 8), max_size=8), max_size=8))
def test_the_first_repeat_of_each_shard_is_named_and_all_are_counted(shards: list[list[int]]):
    units = [Unit(0, number) for number in range(len(shards))]
    digests: list[np.ndarray] = [id_digests(pa.chunked_array([pa.array(ids, pa.int64())])) for ids in shards]
    found = [str(violation) for violation in repeated_ids(units, digests)]
    assert [line.split(";")[0] + ";" for line in found] == one_by_one(shards)
