"""Reads a whole corpus as a job would, for tests to look at."""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan import Columns, Plan, make_plan
from pipelines.corpus.readers import read_slice, stream_slices
from pipelines.corpus.rows import UnitRows
from pipelines.storage import Storage

STORAGE = Storage()
TEXT = Columns("text")


def plan_of(*inputs: Path, columns: Columns = TEXT, shard_rows: int = 10) -> Plan:
    return make_plan([str(path) for path in inputs], columns, shard_rows, STORAGE)


def read_plan(plan: Plan, columns: Columns = TEXT) -> Iterator[UnitRows]:
    for file in plan.live:
        if file.streamed:
            yield from stream_slices(plan, file, columns, STORAGE, 0, 1, ())
        for unit in plan.units_of(file):
            yield read_slice(plan, unit, columns, STORAGE)


def read(*inputs: Path, columns: Columns = TEXT, shard_rows: int = 10) -> list[UnitRows]:
    return list(read_plan(plan_of(*inputs, columns=columns, shard_rows=shard_rows), columns))


def rows_in(unit: UnitRows) -> int:
    """Rows read: each is in the table or among the rejects."""
    return unit.table.num_rows + unit.rejects.num_rows


def rows_of(units: Iterable[UnitRows]) -> list[dict[str, Any]]:
    return [row for unit in units for row in unit.table.to_pylist()]


def texts_of(units: Iterable[UnitRows]) -> list[str]:
    return [row["text"] for row in rows_of(units)]


def rejects_of(units: Iterable[UnitRows]) -> list[dict[str, Any]]:
    return [row for unit in units for row in unit.rejects.to_pylist()]


def reasons_of(units: Iterable[UnitRows]) -> list[str]:
    return [row["reason"] for row in rejects_of(units)]


def json_lines(records: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def numbered(count: int) -> list[dict[str, str]]:
    return [{"text": f"text {number}"} for number in range(count)]


def write_gzip(path: Path, lines: Sequence[bytes]) -> Path:
    path.write_bytes(gzip.compress(b"".join(lines), mtime=0))
    return path


def write_parquet(path: Path, row_group_size: int = 1 << 20, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


def write_text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path
