"""What a worker is asked to do in one call: one unit of a file cut up front, or one stripe of a streamed file.

A streamed file's slices are known only as they come, so its work is dealt out by stripe: stripe k of n streams the
file and embeds the slices k, k+n, k+2n, …; how many stripes there are changes no shard.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Task:
    """One call's work. A cut file's unit has its `slice`; a stripe has none, and skips the slices in `done`."""

    file: int
    slice: int | None = None
    stripe: int = 0
    stripes: int = 1
    done: tuple[int, ...] = ()


TASK_SCHEMA = pa.schema(
    [
        ("file", pa.int64()),
        ("slice", pa.int64()),
        ("stripe", pa.int64()),
        ("stripes", pa.int64()),
        ("done", pa.list_(pa.int64())),
    ]
)


def task_table(task: Task) -> pa.Table:
    """The task as a table of one row."""
    return pa.Table.from_pylist([asdict(task)], schema=TASK_SCHEMA)


def tasks_of(table: pa.Table) -> Iterator[Task]:
    """The tasks in a table of `task_table`'s schema."""
    for row in table.to_pylist():
        yield Task(**{**row, "done": tuple(row["done"])})
