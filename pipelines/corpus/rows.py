"""A unit's rows as Arrow tables: the good ones, and the rejected ones with their reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipelines.corpus.plan_types import CorpusFile, Unit

REJECT_TEXT_CHARACTERS = 200

REJECT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("reason", pa.string()),
        ("text", pa.string()),
    ]
)


@dataclass(frozen=True)
class UnitRows:
    """What reading a unit gives.

    table: `id`, the kept columns, `row` (int64, the row's position), `text` (string). rejects: REJECT_SCHEMA, `row`
    null where the reason is about the file, `text` cut. start, stop: the rows (Parquet, CSV) or bytes (JSON Lines,
    text; of the uncompressed stream) that the slice covers. last: whether this is the file's last slice.
    """

    unit: Unit
    table: pa.Table
    rejects: pa.Table
    start: int
    stop: int
    last: bool

    @property
    def rows_in(self) -> int:
        """Rows read: each is in the table or among the rejects."""
        return self.table.num_rows + self.rejects.num_rows


def row_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of UnitRows.table, from the plan's schema of id and kept columns.

    A kept column named `text` is the text itself, and is not there twice.
    """
    kept = [field for field in schema if field.name != "text"]
    return pa.schema([*kept, ("row", pa.int64()), ("text", pa.string())])


def generated_id(file: CorpusFile, row: int) -> str:
    """The id of a row where no id column is named: its file's number and its position there."""
    return f"{file.number:06d}:{row}"


class RowBuilder:
    """Collects one unit's rows, one at a time, from formats that are read row by row."""

    def __init__(self, file: CorpusFile, schema: pa.Schema) -> None:
        self._file = file
        self._schema = row_schema(schema)
        self._rows: list[tuple[object, ...]] = []
        self._rejects: list[dict[str, object]] = []

    def add(self, row: int, text: str, row_id: str | None = None, kept: Sequence[str | None] = ()) -> None:
        """A good row. Without an id, it gets one from its position; `kept` stands in the schema's order."""
        self._rows.append((row_id or generated_id(self._file, row), *kept, row, text))

    def reject(self, row: int | None, reason: str, text: str | None = None, row_id: str | None = None) -> None:
        """A row, or with row=None the file, that cannot be embedded."""
        self._rejects.append(reject_row(self._file, row, reason, text, row_id))

    def build(self, unit: Unit, start: int, stop: int, last: bool) -> UnitRows:
        """The unit's tables."""
        columns = zip(*self._rows, strict=True) if self._rows else ([] for _ in self._schema)
        arrays = [
            pa.chunked_array([pa.array(list(column), field.type)])
            for column, field in zip(columns, self._schema, strict=True)
        ]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        return UnitRows(unit, table, reject_table(self._rejects), start, stop, last)


def reject_row(
    file: CorpusFile, row: int | None, reason: str, text: str | None = None, row_id: str | None = None
) -> dict[str, object]:
    """One row of REJECT_SCHEMA."""
    if row_id is None and row is not None:
        row_id = None
    cut = None if text is None else text[:REJECT_TEXT_CHARACTERS].encode("utf-8", "replace").decode()
    return {"id": row_id, "file": file.uri, "row": row, "reason": reason, "text": cut}


def reject_table(rejects: Sequence[dict[str, object]]) -> pa.Table:
    """The rows of `reject_row` as a table of REJECT_SCHEMA."""
    return pa.Table.from_pylist(list(rejects), schema=REJECT_SCHEMA)
