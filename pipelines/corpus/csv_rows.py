"""CSV: records become rows, or rejects that say why not. RFC 4180: a header, quotes doubled, line breaks in quotes.

A row's position is its number, not counting the header and blank lines.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipelines.corpus.decompress import BrokenStreamError
from pipelines.corpus.lines import MAX_LINE_BYTES, PREFIX_BYTES, Line, split_lines
from pipelines.corpus.plan_types import Columns
from pipelines.corpus.rows import INVALID_UTF8, RowBuilder, kept_names

RECORD_TOO_LONG = f"a record is longer than {MAX_LINE_BYTES >> 20} MiB: look for a quote that is never closed"


class CsvRecord(NamedTuple):
    """fields: as parsed, None where `problem` says why they could not be. start: the first characters, to show."""

    fields: list[str] | None
    problem: str | None
    start: str
    size: int


class _LineFeed:
    """Gives csv.reader its lines, and remembers of the record being read what the reader does not tell."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self.size = 0
        self.start = b""
        self.valid = True

    def begin_record(self) -> None:
        self.size, self.start, self.valid = 0, b"", True

    def __iter__(self) -> "_LineFeed":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.start = self.start or line.content[:PREFIX_BYTES]
        self.size += len(line.content) + 1
        if not line.whole or self.size > MAX_LINE_BYTES:
            # Where the next record starts, nobody can tell: it may still be inside the quotes.
            raise BrokenStreamError(RECORD_TOO_LONG)
        try:
            return line.content.decode() + "\n"
        except UnicodeDecodeError:
            self.valid = False
            return line.content.decode("utf-8", "surrogateescape") + "\n"


def csv_records(chunks: Iterable[bytes], delimiter: str) -> Iterator[CsvRecord]:
    """All records, the header first; blank lines are none.

    Raises BrokenStreamError at a record over MAX_LINE_BYTES; errors of `chunks` pass through.
    """
    csv.field_size_limit(MAX_LINE_BYTES)  # the module has no limit per reader
    feed = _LineFeed(split_lines(chunks))
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin_record()
        fields: list[str] | None = None
        problem = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = _csv_problem(error)
        if not feed.valid:
            fields, problem = None, INVALID_UTF8
        if fields or problem:
            yield CsvRecord(fields, problem, feed.start.decode("utf-8", "replace"), feed.size)


class CsvRows:
    """The rows of records under one header."""

    def __init__(self, header: list[str], columns: Columns) -> None:
        self._fields = len(header)
        self._text = header.index(columns.text)
        self._id = None if columns.id is None else header.index(columns.id)
        # None where the file's path has the value.
        self._kept = [header.index(name) if name in header else None for name in kept_names(columns)]

    def add(self, builder: RowBuilder, *, row: int, record: CsvRecord) -> None:
        """Adds the record to the builder: one row or one reject. An empty id is none."""
        fields = record.fields
        if fields is None:
            builder.reject(row, record.problem or "", record.start)
            return
        if len(fields) != self._fields:
            fewer_or_more = "fewer" if len(fields) < self._fields else "more"
            builder.reject(row, f"{fewer_or_more} fields than the header", record.start)
            return
        row_id = None if self._id is None else fields[self._id]
        if row_id == "":
            builder.reject(row, "id is null", fields[self._text])
            return
        kept = zip(self._kept, builder.from_path, strict=True)
        values = [given if place is None else fields[place] for place, given in kept]
        builder.add(row, fields[self._text], row_id, values)


def _csv_problem(error: csv.Error) -> str:
    message = str(error)
    if "new-line character" in message:
        message = "a carriage return outside quotes"
    elif "unexpected end" in message:
        message = "a quote is never closed"
    return f"invalid CSV: {message}"
