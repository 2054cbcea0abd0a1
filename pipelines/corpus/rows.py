"""A unit's rows as Arrow tables: the good ones, and the rejected ones with their reasons."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.corpus.partitions import values_from_path
from pipelines.corpus.plan_types import Columns, CorpusFile, Plan, Unit

REJECT_TEXT_CHARACTERS = 200
INVALID_UTF8 = "invalid UTF-8"

# Held as Python strings, of up to four bytes a character each, before they go into Arrow's, which are UTF-8.
HELD_CHARACTERS = 4 << 20

# Of texts in Arrow, as many become Python strings at once: one by one takes ten times as long.
MADE_BYTES = 1 << 20

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

    def texts(self) -> Iterator[str]:
        """The texts of `table`, of which about a MiB are Python strings at a time, or one."""
        column = self.table["text"]
        step = max(1, MADE_BYTES * len(column) // max(1, column.nbytes))
        for start in range(0, len(column), step):
            yield from column.slice(start, step).to_pylist()


def kept_names(columns: Columns) -> tuple[str, ...]:
    """The kept columns that stand beside the text. One named `text` is the text itself, and is not there twice."""
    return tuple(name for name in columns.keep if name != "text")


def row_schema(plan: Plan) -> pa.Schema:
    """The schema of UnitRows.table: the same for every unit of the plan."""
    kept = [field for field in plan.schema if field.name != "text"]
    return pa.schema([*kept, ("row", pa.int64()), ("text", pa.string())])


def generated_id(file: CorpusFile, row: int) -> str:
    """The id of a row where no id column is named: its file's number and its position there."""
    return f"{file.number:06d}:{row}"


def generated_ids(file: CorpusFile, rows: pa.Array) -> pa.Array:
    """The ids of many rows (int64 [n]), as `generated_id` makes them, string [n]."""
    return pc.binary_join_element_wise(f"{file.number:06d}", rows.cast(pa.string()), ":")  # type: ignore[attr-defined]


class RowBuilder:
    """Collects a unit's rows one at a time, for the formats that are read so.

    from_path: in the order of `kept_names`, what the file's path gives a row that has no such column of its own.
    """

    def __init__(self, plan: Plan, file: CorpusFile, columns: Columns) -> None:
        self._file = file
        self._schema = row_schema(plan)
        self._generated = columns.id is None
        given = values_from_path(columns, file.uri)
        self.from_path = tuple(given.get(name) for name in kept_names(columns))
        self._rows: list[tuple[object, ...]] = []
        self._characters = 0
        self._tables: list[pa.Table] = []
        self._rejects: list[dict[str, object]] = []

    def add(self, row: int, text: str, row_id: str | None, kept: Sequence[str | None]) -> None:
        """A good row; `kept` in the order of `kept_names`. row_id is left out where ids are generated."""
        self._rows.append((generated_id(self._file, row) if self._generated else row_id, *kept, row, text))
        self._characters += len(text) + sum(len(value) for value in kept if value is not None)
        if self._characters >= HELD_CHARACTERS:
            self._put_away()

    def reject(self, row: int, reason: str, text: str | None = None, row_id: str | None = None) -> None:
        """A row that cannot be embedded."""
        row_id = generated_id(self._file, row) if self._generated else row_id
        self._rejects.append(reject_row(self._file, row, reason, text, row_id))

    def reject_file(self, reason: str) -> None:
        """The file, or what of it comes after the rows so far, cannot be read."""
        self._rejects.append(reject_row(self._file, None, reason))

    def build(self, unit: Unit, start: int, stop: int, last: bool) -> UnitRows:
        """The unit's tables."""
        if self._rows or not self._tables:
            self._put_away()
        return UnitRows(unit, pa.concat_tables(self._tables), reject_table(self._rejects), start, stop, last)

    def _put_away(self) -> None:
        """Makes a table of the rows that are held."""
        columns = zip(*self._rows, strict=True) if self._rows else ([] for _ in self._schema)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._tables.append(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()
        self._characters = 0


def reject_row(
    file: CorpusFile, row: int | None, reason: str, text: str | None = None, row_id: str | None = None
) -> dict[str, object]:
    """One row of REJECT_SCHEMA, its text cut and made valid."""
    cut = None if text is None else text[:REJECT_TEXT_CHARACTERS].encode("utf-8", "replace").decode()
    return {"id": row_id, "file": file.uri, "row": row, "reason": reason, "text": cut}


def reject_table(rejects: Sequence[dict[str, object]]) -> pa.Table:
    """The rows of `reject_row` as a table of REJECT_SCHEMA."""
    return pa.Table.from_pylist(list(rejects), schema=REJECT_SCHEMA)
