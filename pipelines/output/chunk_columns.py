"""The columns that say where in its document a chunk lies, into the shard's rows and out of them again."""

from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np
import pyarrow as pa

from pipelines.encoder.tokens import ChunkPlaces

CHUNK_FIELDS = (pa.field("chunk", pa.int32()), pa.field("start", pa.int32()), pa.field("end", pa.int32()))

# Many chunks of a document repeat what is kept of it, and an Arrow string array holds 2 GiB at most: columns come in
# pieces of about so many bytes or characters, and one row more.
PIECE_SIZE = 256 << 20

CHUNK_COLUMNS = tuple(field.name for field in CHUNK_FIELDS)


def with_chunk_fields(columns: pa.Schema) -> pa.Schema:
    """The schema of `id` and the kept columns of documents, as that of their chunks."""
    return pa.schema([*columns, *CHUNK_FIELDS])


def chunk_rows(documents: pa.Table, text_column: str, places: ChunkPlaces) -> pa.Table:
    """A row a chunk: the document's id and kept columns, then `chunk`, `start`, `end`.

    documents: n rows of `id` and the kept columns. text_column: the one that holds the text; where it is kept, the row
    of a chunk has its own part of it.
    """
    columns = [
        chunk_texts(documents[name], places)
        if name == text_column and name != "id"
        else _of_each_chunk(documents[name], places)
        for name in documents.schema.names
    ]
    own = [pa.array(numbers, pa.int32()) for numbers in (places.number, places.start, places.end)]
    return pa.Table.from_arrays([*columns, *own], schema=with_chunk_fields(documents.schema))


def chunk_texts(texts: pa.ChunkedArray, places: ChunkPlaces) -> pa.ChunkedArray:
    """The chunks' own parts of n documents' texts, of the type of the texts."""
    parts = places.parts(texts.to_pylist())
    pieces = _pieces(places.end - places.start)
    return pa.chunked_array([pa.array(islice(parts, stop - start), texts.type) for start, stop in pieces], texts.type)


def _of_each_chunk(column: pa.ChunkedArray, places: ChunkPlaces) -> pa.ChunkedArray:
    """The value of each chunk's document."""
    sizes = np.array([column.slice(row, 1).nbytes for row in range(len(column))], np.int64)
    pieces = [column.take(pa.array(places.document[start:stop])) for start, stop in _pieces(sizes[places.document])]
    return pa.chunked_array([chunk for piece in pieces for chunk in piece.chunks], column.type)


def _pieces(sizes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of rows, first and stop, that have PIECE_SIZE each without their last row. sizes: int [c]."""
    number = (np.cumsum(sizes, dtype=np.int64) - sizes) // PIECE_SIZE
    return pairwise([0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(sizes)])


def places_of(table: pa.Table) -> ChunkPlaces | None:
    """Where the chunks of a shard's rows lie; None where they are not numbered 0, 1, … document by document."""
    number, start, end = (table[name].to_numpy() for name in CHUNK_COLUMNS)
    before = np.concatenate([[-1], number[:-1]]) if len(number) else number
    if not np.all((number == 0) | ((number == before + 1) & (before >= 0))):
        return None
    return ChunkPlaces(np.cumsum(number == 0, dtype=np.int64) - 1, number, start, end)
