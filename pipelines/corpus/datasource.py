"""The corpus as a Ray Dataset: a read task a unit, or a streamed file."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pyarrow as pa
import ray.data
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from pipelines.corpus.plan import Columns, CorpusFile, Plan, Unit, make_plan
from pipelines.corpus.readers import read_slice, stream_slices
from pipelines.corpus.rows import UnitRows, row_schema
from pipelines.storage import Storage

log = logging.getLogger(__name__)

# More than a job's unit has on CPUs: here a unit is only a block, and no crash loses the work on one.
DEFAULT_SHARD_ROWS = 10_000


def read_corpus(
    inputs: str | Sequence[str],
    text_column: str = "text",
    id_column: str | None = None,
    keep: Sequence[str] = (),
    shard_rows: int = DEFAULT_SHARD_ROWS,
    storage_options: Mapping[str, str] | None = None,
) -> ray.data.Dataset:
    """The corpus as a Dataset of `id`, the kept columns, `row` (int64) and `text` (string).

    A unit is a block, except that Ray may join the units of a streamed file.

    inputs: files, folders or globs, local or at fsspec URIs. Rows that cannot be embedded are left out, with a
    warning in the reading task's log that counts them by reason. Raises UsageError where the inputs or columns are
    wrong, StorageError where a file cannot be read.
    """
    columns = Columns(text_column, id_column, tuple(keep))
    storage = Storage(dict(storage_options or {}))
    plan = make_plan([inputs] if isinstance(inputs, str) else inputs, columns, shard_rows, storage)
    source = CorpusDatasource(plan, columns, storage)
    # Without as many blocks as tasks, Ray would split the units' blocks.
    return ray.data.read_datasource(source, override_num_blocks=len(source.get_read_tasks(1)))


class CorpusDatasource(Datasource):
    """A planned corpus for Ray Data."""

    def __init__(self, plan: Plan, columns: Columns, storage: Storage) -> None:
        super().__init__()
        self._plan = plan
        self._columns = columns
        self._storage = storage

    def estimate_inmemory_data_size(self) -> int | None:
        """Unknown: compression hides it."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """A task a unit, or a streamed file, whatever parallelism is asked for: units are never merged or split."""
        return [task for file in self._plan.files for task in self._tasks_of(file, per_task_row_limit)]

    def _tasks_of(self, file: CorpusFile, row_limit: int | None) -> Iterator[ReadTask]:
        metadata = BlockMetadata(num_rows=None, size_bytes=None, input_files=(file.uri,), exec_stats=None)
        for part in _parts(file):
            # A task carries its own part of the plan only: a large corpus does not travel with each task.
            plan = Plan((part,), self._plan.shard_rows, self._plan.schema)
            read = partial(_read_file if part.streamed else _read_unit, plan, self._columns, self._storage)
            yield ReadTask(read, metadata, row_schema(self._plan), row_limit)


def _parts(file: CorpusFile) -> Iterable[CorpusFile]:
    """The file as if each of its slices were all of it. Its number stays, and so do the rows' ids and positions."""
    if file.bounds is None:
        return [file]
    return (replace(file, bounds=bounds) for bounds in pairwise(file.bounds))


def _read_unit(plan: Plan, columns: Columns, storage: Storage) -> Iterable[pa.Table]:
    return [_good_rows(read_slice(plan, Unit(0, 0), columns, storage))]


def _read_file(plan: Plan, columns: Columns, storage: Storage) -> Iterable[pa.Table]:
    return map(_good_rows, stream_slices(plan, plan.files[0], columns, storage, 0, 1, ()))


def _good_rows(rows: UnitRows) -> pa.Table:
    if rows.rejects.num_rows:
        reasons = ", ".join(
            f"{count} × {reason}" for reason, count in Counter(rows.rejects["reason"].to_pylist()).items()
        )
        log.warning("%s: %d rows left out: %s", rows.rejects["file"][0].as_py(), rows.rejects.num_rows, reasons)
    return rows.table
