"""The columns that say where in its document a chunk lies, into the shard's rows and out of them again."""

import numpy as np
import pyarrow as pa

from pipelines.encoder.tokens import ChunkPlaces

CHUNK_FIELDS = (pa.field("chunk", pa.int32()), pa.field("start", pa.int32()), pa.field("end", pa.int32()))
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
        pa.chunked_array([chunk_texts(documents[name], places)], field.type)
        if name == text_column and name != "id"
        else documents[name].take(pa.array(places.document))
        for name, field in zip(documents.schema.names, documents.schema, strict=True)
    ]
    own = [pa.array(numbers, pa.int32()) for numbers in (places.number, places.start, places.end)]
    return pa.Table.from_arrays([*columns, *own], schema=with_chunk_fields(documents.schema))


def chunk_texts(texts: pa.ChunkedArray, places: ChunkPlaces) -> pa.Array:
    """The chunks' own parts of n documents' texts, of the type of the texts."""
    whole = texts.to_pylist()
    cuts = zip(places.document.tolist(), places.start.tolist(), places.end.tolist(), strict=True)
    return pa.array([whole[document][start:end] for document, start, end in cuts], texts.type)


def places_of(table: pa.Table) -> ChunkPlaces | None:
    """Where the chunks of a shard's rows lie; None where they are not numbered 0, 1, … document by document."""
    number, start, end = (table[name].to_numpy() for name in CHUNK_COLUMNS)
    before = np.concatenate([[-1], number[:-1]]) if len(number) else number
    if not np.all((number == 0) | ((number == before + 1) & (before >= 0))):
        return None
    return ChunkPlaces(np.cumsum(number == 0, dtype=np.int64) - 1, number, start, end)
