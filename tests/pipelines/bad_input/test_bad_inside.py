"""Bad values in kept columns of Parquet: a bad string inside a list, struct or map makes its row a reject, a value that
Arrow cannot convert the rest of its unit, and neither makes a shard unreadable."""

from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.corpus.plan import Columns
from pipelines.output.verify import verify
from tests.pipelines.bad_input.bad_file import GOOD, rejects_of, vectors_due, vectors_of
from tests.pipelines.bad_input.bad_parquet import strings
from tests.pipelines.output.fake_job import FakeJob, output_in

STRINGS = strings(b"0", b"\xff", b"2")
OFFSETS = pa.array([0, 1, 2, 3], pa.int32())
NESTED = {
    "list": pa.ListArray.from_arrays(OFFSETS, STRINGS),
    "list of lists": pa.ListArray.from_arrays(OFFSETS, pa.ListArray.from_arrays(OFFSETS, STRINGS)),
    "list of a dictionary": pa.ListArray.from_arrays(
        OFFSETS, pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int32()), STRINGS)
    ),
    "list of a fixed size": pa.FixedSizeListArray.from_arrays(STRINGS, 1),
    "struct": pa.StructArray.from_arrays([STRINGS, pa.array([1, 2, 3])], ["name", "number"]),
    "map": pa.MapArray.from_arrays(OFFSETS, pa.array(["a", "b", "c"]), STRINGS),
}


@pytest.mark.parametrize("kind", NESTED)
def test_a_row_with_a_bad_string_inside_is_rejected_and_the_others_are_embedded(kind: str, tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [GOOD[0], "bad", GOOD[1]], "kept": NESTED[kind]}), path)
    job = FakeJob((path,), output_in(tmp_path), columns=Columns("text", None, ("kept",)))
    job.run()
    [reject] = rejects_of(job)
    assert reject["reason"] == "column 'kept' has invalid UTF-8, or another invalid value, inside"
    assert (reject["row"], reject["text"]) == (1, "bad")
    assert vectors_of(job, 0) == vectors_due(GOOD)
    assert verify(job.output, with_input=True).violations == ()
    shards = f"{job.output.uri}/part-*.parquet"
    assert len(duckdb.read_parquet(shards).fetchall()) == len(pl.read_parquet(shards)) == 2


def test_a_value_that_cannot_be_converted_to_the_shards_type_rejects_the_rest_of_its_unit(tmp_path: Path):
    wide, bad = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pq.write_table(pa.table({"text": [GOOD[0]], "kept": pa.array([Decimal(1)], pa.decimal128(7, 3))}), wide)
    # Its type says that it has 5 digits at most.
    raw = b"".join(number.to_bytes(16, "little") for number in (100, 2_000_000_000))
    kept = pa.Array.from_buffers(pa.decimal128(5, 2), 2, [None, pa.py_buffer(raw)])
    pq.write_table(pa.table({"text": ["a", "b"], "kept": kept}), bad, store_decimal_as_integer=True)
    job = FakeJob((wide, bad), output_in(tmp_path), columns=Columns("text", None, ("kept",)))
    job.run()
    [reject] = rejects_of(job)
    assert (reject["file"], reject["row"]) == (str(bad), None)
    assert reject["reason"] == "cannot be read on: Decimal value does not fit in precision 7"
    assert verify(job.output, with_input=True).violations == ()
