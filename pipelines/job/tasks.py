"""What a worker is asked to do in one call: some units of a file cut up front, or one stripe of a streamed file.

Units go in runs, since a call has its price and a file is read on most cheaply. A streamed file's slices are known only
as they come, so its work is dealt out by stripe: stripe k of n streams the file and embeds the slices k, k+n, k+2n, …;
neither runs nor stripes change any shard. The last tasks of a job name no file: they help with what is late.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from pipelines.corpus.plan_types import Unit
from pipelines.output.layout import unit_named
from pipelines.output.remaining import Remaining

MOST_UNITS = 32

# A run has at most this part of a worker's share of what is left, so that all workers end at about the same time.
RUNS_A_SHARE = 4


@dataclass(frozen=True)
class Task:
    """One call's work. Of a cut file: its `slices`. Of a streamed one: a stripe, without the slices in `done`.
    Without a file: units that are late elsewhere."""

    file: int | None
    slices: tuple[int, ...] = ()
    stripe: int = 0
    stripes: int = 1
    done: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Of a stripe: what its end is told by."""
        return f"stripe {self.stripe} of {self.stripes} of file {self.file}"


TASK_SCHEMA = pa.schema(
    [
        ("file", pa.int64()),
        ("slices", pa.list_(pa.int64())),
        ("stripe", pa.int64()),
        ("stripes", pa.int64()),
        ("done", pa.list_(pa.int64())),
    ]
)


def tasks_for(remaining: Remaining, workers: int) -> list[Task]:
    """The tasks that make what is missing. Streams come first: each is long, and nobody knows how long.

    Where there are fewer streams than workers, several workers share one, each encoding its stripe of the slices.
    """
    stripes = max(1, math.ceil(workers / len(remaining.streams))) if remaining.streams else 1
    streamed = [
        Task(file.number, stripe=stripe, stripes=stripes, done=done)
        for file, done in remaining.streams
        for stripe in range(stripes)
    ]
    return [*streamed, *_runs(remaining.units, workers)]


def left_of(tasks: Sequence[Task], ended: Collection[str]) -> list[Task]:
    """The tasks without what has come to an end: units and stripes of these names."""
    slices: defaultdict[int | None, set[int]] = defaultdict(set)
    for unit in filter(None, map(unit_named, ended)):
        slices[unit.file].add(unit.slice)
    left = []
    for task in tasks:
        over = slices[task.file]
        if not task.slices and task.name not in ended:
            left.append(replace(task, done=tuple(sorted({*task.done, *over}))))
        elif run := tuple(number for number in task.slices if number not in over):
            left.append(replace(task, slices=run))
    return left


def _runs(units: Sequence[Unit], workers: int) -> Iterator[Task]:
    """Runs of one file's units, long ones first and the last ones single."""
    begun = 0
    for number, group in itertools.groupby(units, key=lambda unit: unit.file):
        slices = [unit.slice for unit in group]
        while slices:
            length = (len(units) - begun) // (workers * RUNS_A_SHARE)
            run = slices[: min(max(length, 1), MOST_UNITS)]
            yield Task(number, slices=tuple(run))
            begun += len(run)
            slices = slices[len(run) :]


def task_table(task: Task) -> pa.Table:
    """The task as a table of one row."""
    return pa.Table.from_pylist([asdict(task)], schema=TASK_SCHEMA)


def tasks_of(table: pa.Table) -> Iterator[Task]:
    """The tasks in a table of `task_table`'s schema."""
    for row in table.to_pylist():
        yield Task(**{**row, "slices": tuple(row["slices"]), "done": tuple(row["done"])})
