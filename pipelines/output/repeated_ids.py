"""Whether ids are unique within a file of the corpus, across all of its shards.

Of each id 16 bytes are kept, one file at a time: integers as they are, strings as a hash. That two of a billion
different strings have one hash has a probability of 2e-21.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from pipelines.corpus.plan_types import Unit
from pipelines.output.violation import Violation

DIGEST = np.dtype([("high", "<u8"), ("low", "<u8")])


def id_digests(ids: pa.ChunkedArray) -> np.ndarray:
    """What tells the ids of a shard apart, DIGEST [n]."""
    digests = np.zeros(len(ids), DIGEST)
    if pa.types.is_integer(ids.type):
        digests["low"] = ids.to_numpy().view(np.uint64)
        return digests
    hashes = (blake2b(value.encode(), digest_size=DIGEST.itemsize).digest() for value in ids.to_pylist())
    return np.frombuffer(b"".join(hashes), DIGEST)


def repeated_ids(units: Sequence[Unit], digests: Sequence[np.ndarray]) -> Iterator[Violation]:
    """The rows whose id an earlier row of the file has too, a violation a shard; names the first of each shard.

    units: the file's, in order. digests: those of their ids.
    """
    every = np.concatenate([np.empty(0, DIGEST), *digests])
    order = np.lexsort((every["low"], every["high"]))  # stable: among equals the first row comes first
    ordered = every[order]
    repeats = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    if not repeats.size:
        return
    begins = np.r_[True, ordered[1:] != ordered[:-1]]
    firsts = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))[repeats]
    by_row = np.argsort(order[repeats])
    rows, earlier = order[repeats][by_row], order[firsts][by_row]
    starts = np.cumsum([0, *map(len, digests)])
    places = np.searchsorted(starts, rows, side="right") - 1
    for place, first, count in zip(*np.unique(places, return_index=True, return_counts=True), strict=True):
        before = int(np.searchsorted(starts, earlier[first], side="right")) - 1
        where = "" if before == place else f" of {units[before].name}"
        what = f"row {rows[first] - starts[place]} has the id of row {earlier[first] - starts[before]}{where}"
        yield Violation(
            f"{units[place].name}.parquet",
            f"{count} of its ids are there before: {what}; --input tells whether the input's ids are so too",
        )
