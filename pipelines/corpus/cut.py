"""How a file is cut into slices: pure functions from sizes to boundaries."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# A slice's rows are in memory as a whole; however many they are, they take about this much at most.
MAX_SLICE_BYTES = 256 << 20


@dataclass(frozen=True)
class RowGroup:
    """A Parquet row group: its rows, and the uncompressed bytes of the columns that are read."""

    rows: int
    bytes: int


def cut_row_groups(groups: Sequence[RowGroup], shard_rows: int) -> tuple[int, ...]:
    """Slice boundaries in rows, from 0 to the sum of rows; (0, 0) without rows.

    Adjacent groups are joined while that brings a slice nearer to shard_rows; groups of 1.5 * shard_rows and more
    are cut evenly. A slice has at most 1.5 * shard_rows rows, and never takes part of two groups unless it takes
    all of each.
    """
    bounds = [0]
    joined = RowGroup(0, 0)  # the slice that is still growing
    for group in groups:
        both = RowGroup(joined.rows + group.rows, joined.bytes + group.bytes)
        pieces = _pieces(group, shard_rows)
        if pieces == 1 and _is_nearer(both, joined, shard_rows):
            joined = both
            continue
        bounds.append(bounds[-1] + joined.rows)
        start = bounds[-1]
        bounds += [start + group.rows * piece // pieces for piece in range(1, pieces)]
        joined = group if pieces == 1 else RowGroup(0, 0)
        if pieces > 1:
            bounds.append(start + group.rows)
    bounds.append(bounds[-1] + joined.rows)
    return _without_empty(bounds)


def cut_bytes(size: int, row_bytes: float, shard_rows: int) -> tuple[int, ...]:
    """Slice boundaries in bytes, from 0 to size: equal ranges of about shard_rows rows of row_bytes each."""
    width = min(max(round(shard_rows * row_bytes), 1), MAX_SLICE_BYTES)
    pieces = max(round(size / width), 1)
    return _without_empty([size * piece // pieces for piece in range(pieces + 1)])


def _pieces(group: RowGroup, shard_rows: int) -> int:
    by_bytes = -(-group.bytes // MAX_SLICE_BYTES)
    return min(max(round(group.rows / shard_rows), by_bytes, 1), max(group.rows, 1))


def _is_nearer(both: RowGroup, alone: RowGroup, shard_rows: int) -> bool:
    if both.bytes > MAX_SLICE_BYTES or both.rows > 1.5 * shard_rows:
        return alone.rows == 0
    return abs(both.rows - shard_rows) <= abs(alone.rows - shard_rows)


def _without_empty(bounds: Sequence[int]) -> tuple[int, ...]:
    """The boundaries without slices of nothing, but for the one slice of an empty file."""
    kept = [bounds[0], *(after for before, after in pairwise(bounds) if after > before)]
    return tuple(kept) if len(kept) > 1 else (bounds[0], bounds[0])
