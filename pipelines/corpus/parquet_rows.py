"""Parquet: ranges of a file's rows, in batches, with only the columns that are needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.column_types import is_string, plain_type
from pipelines.corpus.decompress import BrokenStreamError
from pipelines.corpus.partitions import values_from_path
from pipelines.corpus.plan_types import Columns, CorpusFile, Plan
from pipelines.corpus.rows import generated_ids, kept_names, reject_row, reject_table, row_schema
from pipelines.errors import arrow_message

BATCH_ROWS = 1024
# Column chunks are read through a buffer of this size, so that a huge row group is never in memory as a whole.
BUFFER_BYTES = 1 << 20
MAX_INT64 = (1 << 63) - 1


class ParquetReader:
    """The rows of an open file, forward: a range that follows the one before is read on, and nothing is decoded twice.

    Raises BrokenStreamError where bytes cannot be decoded.
    """

    def __init__(self, handle: BinaryIO, columns: Columns) -> None:
        with _damage_told():
            self._parquet = pq.ParquetFile(handle, buffer_size=BUFFER_BYTES, page_checksum_verification=True)
        groups = self._parquet.num_row_groups
        self._ends = np.cumsum([self._parquet.metadata.row_group(group).num_rows for group in range(groups)])
        # The others are in the file's path.
        self._columns = [name for name in columns.names if name in self._parquet.schema_arrow.names]
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._batch: pa.RecordBatch | None = None
        self._first = 0  # the row that the batch begins with
        self._group_end = 0

    def rows(self, start: int, stop: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows [start, stop) as pairs of the first row's number and a batch."""
        row = start
        while row < stop:
            if self._batch is None or not self._first <= row < self._group_end:
                self._seek(row)
            while self._batch is not None and row >= self._first + self._batch.num_rows:
                self._first += self._batch.num_rows
                self._batch = _next(self._batches)
            if self._batch is None:
                raise BrokenStreamError("cannot be read on: it has fewer rows than its footer says")
            part = self._batch.slice(row - self._first, stop - row)
            yield row, part
            row += part.num_rows

    def _seek(self, row: int) -> None:
        """To the beginning of the row group that holds the row."""
        group = int(np.searchsorted(self._ends, row, side="right"))
        self._batch = None
        if group == len(self._ends):
            return
        self._batches = self._parquet.iter_batches(
            BATCH_ROWS, row_groups=[group], columns=self._columns, use_threads=False
        )
        self._first = int(self._ends[group - 1]) if group else 0
        self._group_end = int(self._ends[group])
        self._batch = _next(self._batches)


def sorted_out(
    plan: Plan, file: CorpusFile, columns: Columns, batches: Iterator[tuple[int, pa.RecordBatch]]
) -> tuple[pa.Table, pa.Table]:
    """Good rows and rejects; where bytes cannot be decoded, or a value not be converted to the plan's type, the rows so
    far and one reject for the file."""
    good_batches: list[pa.RecordBatch] = []
    rejects: list[dict[str, object]] = []
    try:
        for row, batch in batches:
            good, bad = _sort_out(plan, file, columns, row, batch)
            good_batches.append(good)
            rejects += bad
    except BrokenStreamError as broken:
        rejects.append(reject_row(file, None, str(broken)))
    return pa.Table.from_batches(good_batches, row_schema(plan)), reject_table(rejects)


def _next(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    with _damage_told():
        return next(batches, None)


@contextmanager
def _damage_told() -> Iterator[None]:
    """Arrow raises these two for damaged bytes and values; all else it raises says nothing of the file."""
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        raise BrokenStreamError(f"cannot be read on: {arrow_message(error)}") from None


def _sort_out(
    plan: Plan, file: CorpusFile, columns: Columns, row: int, batch: pa.RecordBatch
) -> tuple[pa.RecordBatch, list[dict[str, object]]]:
    """The batch's good rows in the plan's schema, and its rejects."""
    schema = row_schema(plan)
    text = batch.column(columns.text).cast(pa.string())
    reasons: dict[int, str] = {}
    arrays: dict[str, pa.Array] = {"row": pa.array(np.arange(row, row + batch.num_rows, dtype=np.int64)), "text": text}
    # The first reason that a row meets stands: the later ones are entered with setdefault.
    _note(reasons, _mask(text.is_null()), "text is null")
    _note_invalid(reasons, text, "text")
    arrays["id"] = generated_ids(file, arrays["row"]) if columns.id is None else _ids(reasons, batch.column(columns.id))
    given = values_from_path(columns, file.uri)
    for name in kept_names(columns):
        own = name in batch.schema.names
        kept = batch.column(name) if own else pa.repeat(pa.scalar(given[name], pa.string()), batch.num_rows)
        if pa.types.is_nested(_plain(kept).type):
            _note_invalid_inside(reasons, kept, f"column '{name}'")
        else:
            _note_invalid(reasons, kept, f"column '{name}'")
        arrays[name] = _plain(kept)
    mask = np.ones(batch.num_rows, bool)
    mask[list(reasons)] = False
    good = pa.array(mask)
    # Arrow filters fewer types than it casts.
    chosen = [_as_type(arrays[field.name], field.type).filter(good) for field in schema]
    rejects = [
        reject_row(file, row + place, reason, _shown(text[place]), _shown(arrays["id"][place]))
        for place, reason in sorted(reasons.items())
    ]
    return pa.RecordBatch.from_arrays(chosen, schema=schema), rejects


def _ids(reasons: dict[int, str], column: pa.Array) -> pa.Array:
    """Integers as int64, strings as string; null and what int64 does not hold are noted, and come out as null."""
    column = _plain(column)
    _note(reasons, _mask(column.is_null()), "id is null")
    if not pa.types.is_integer(column.type):
        _note_invalid(reasons, column, "id")
        return column.cast(pa.string())
    if pa.types.is_uint64(column.type):
        values = column.fill_null(0).to_numpy()
        _note(reasons, values > MAX_INT64, "id does not fit in 64 signed bits")
        column = pa.array(values, mask=_mask(column.is_null()) | (values > MAX_INT64))
    return column.cast(pa.int64())


def _mask(column: pa.BooleanArray) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False)


def _note(reasons: dict[int, str], mask: np.ndarray, reason: str) -> None:
    for place in np.flatnonzero(mask).tolist():
        reasons.setdefault(place, reason)


def _note_invalid(reasons: dict[int, str], column: pa.Array, what: str) -> None:
    """Notes the rows whose string is no UTF-8: a Parquet writer may have put any bytes into a string column."""
    column = _plain(column)
    if not is_string(column.type):
        return
    strings = column.cast(pa.string())
    try:
        strings.validate(full=True)
    except pa.ArrowInvalid:
        for place, value in enumerate(strings.cast(pa.binary()).to_pylist()):
            if value is not None and not _is_utf8(value):
                reasons.setdefault(place, f"{what} is invalid UTF-8")


def _note_invalid_inside(reasons: dict[int, str], column: pa.Array, what: str) -> None:
    """Notes the rows of lists, structs and maps with something inside that no reader takes, such as no UTF-8."""
    column = _as_type(_plain(column), plain_type(column.type))
    if _is_valid(column):
        return
    for place in range(len(column)):
        # A copy of the row: of a slice, Arrow looks at what the other rows hold too.
        if not _is_valid(column.take(pa.array([place]))):
            reasons.setdefault(place, f"{what} has invalid UTF-8, or another invalid value, inside")


def _is_valid(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def _as_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Raises BrokenStreamError where a value is none of the column's own type, such as a decimal of too many digits."""
    with _damage_told():
        return column if column.type == kind else column.cast(kind)


def _shown(value: pa.Scalar) -> str | None:
    """A value to show among the rejects, valid or not."""
    if not value.is_valid:
        return None
    if not pa.types.is_string(value.type):
        return str(value.as_py())
    return value.cast(pa.binary()).as_py().decode("utf-8", "replace")
