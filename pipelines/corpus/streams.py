"""A streamed file as rows that know their place and are parsed only when asked for, and an end that says why."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, NamedTuple

from pipelines.corpus.csv_rows import CsvRows, csv_records
from pipelines.corpus.decompress import BrokenStreamError, content_chunks
from pipelines.corpus.formats import csv_delimiter
from pipelines.corpus.json_rows import add_json_line, is_blank
from pipelines.corpus.lines import split_lines
from pipelines.corpus.plan_types import Columns, CorpusFile
from pipelines.corpus.rows import RowBuilder
from pipelines.corpus.text_rows import add_text_line


class StreamRow(NamedTuple):
    """A row before it is parsed. position: as in the row's id. size: its bytes in the uncompressed stream.
    add_to: adds the row, or a reject for it, to a builder."""

    position: int
    size: int
    add_to: Callable[[RowBuilder], None]


@dataclass(frozen=True)
class End:
    """The end of a stream. position: where the next row would be. error: why it ends too early, if so."""

    position: int
    error: str | None


def read_stream(handle: BinaryIO, file: CorpusFile, columns: Columns) -> Iterator[StreamRow | End]:
    """The file's rows in order and then, once, its End. Of the row at which a stream breaks, nothing is given."""
    chunks = content_chunks(handle, file.compression)
    return _csv_stream(chunks, file, columns) if file.format == "csv" else _line_stream(chunks, file, columns)


def _line_stream(chunks: Iterator[bytes], file: CorpusFile, columns: Columns) -> Iterator[StreamRow | End]:
    length = 0

    def counted() -> Iterator[bytes]:
        nonlocal length
        for chunk in chunks:
            length += len(chunk)
            yield chunk

    error = None
    try:
        for line in split_lines(counted()):
            if file.format == "text":
                yield StreamRow(line.offset, len(line.content), partial(add_text_line, line=line))
            elif not is_blank(line):
                yield StreamRow(line.offset, len(line.content), partial(add_json_line, line=line, columns=columns))
    except BrokenStreamError as broken:
        error = str(broken)
    yield End(length, error)


def _csv_stream(chunks: Iterator[bytes], file: CorpusFile, columns: Columns) -> Iterator[StreamRow | End]:
    position = 0
    error = None
    records = csv_records(chunks, csv_delimiter(file.uri))
    try:
        if header := next(records, None):
            rows = CsvRows(header.fields or [], columns)
            for record in records:
                yield StreamRow(position, record.size, partial(rows.add, row=position, record=record))
                position += 1
    except BrokenStreamError as broken:
        error = str(broken)
    yield End(position, error)
