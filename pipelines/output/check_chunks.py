"""Checks of a shard whose rows are chunks: those of a document stand together, in the order of its text."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from pipelines.encoder.tokens import ChunkPlaces
from pipelines.output.chunk_columns import CHUNK_FIELDS, places_of

# What has tokens whatever the tokeniser; of other characters some leave out one or the other.
HAS_TOKENS = re.compile("[A-Za-z0-9]")


def has_chunk_columns(schema: pa.Schema) -> bool:
    """Whether the chunk columns are there, as they should be."""
    return all(field.name in schema.names and schema.field(field.name).type == field.type for field in CHUNK_FIELDS)


def check_chunks(table: pa.Table) -> Iterator[str]:
    """What is wrong with the chunks of a shard's rows, whose columns are right; more only the corpus can tell."""
    if any(table[field.name].null_count for field in CHUNK_FIELDS):
        yield "some of its chunk numbers or offsets are null"
        return
    places = places_of(table)
    if places is None:
        yield "its chunks are not numbered 0, 1, … document by document: rows were moved, lost or doubled"
        return
    if not _ascend(places):
        yield "the offsets of its chunks do not ascend from 0 within a document"
    later = np.flatnonzero(places.number > 0)
    ids = table["id"].combine_chunks()
    if not ids.take(pa.array(later)).equals(ids.take(pa.array(later - 1))):
        yield "chunks of one document have different ids: rows were moved, lost or doubled"


def check_cover(texts: Sequence[str], places: ChunkPlaces) -> str | None:
    """How the chunks of these n documents first end beyond one, or leave out what has tokens; None if they do not."""
    for text, (first, stop) in zip(texts, places.ranges, strict=True):
        starts, ends = places.start[first:stop].tolist(), places.end[first:stop].tolist()
        if ends[-1] > len(text):
            return f"the document in row {first} has {len(text)} characters, its last chunk ends at {ends[-1]}"
        for covered, start in zip([0, *ends], [*starts, len(text)], strict=True):
            if start > covered and HAS_TOKENS.search(text, covered, start):
                return f"characters {covered} to {start} of the document in row {first} are in no chunk"
    return None


def _ascend(places: ChunkPlaces) -> bool:
    """Two chunks may have the same offsets: where one endless word is longer than a chunk."""
    within = places.number[1:] > 0
    ascending = [np.all(np.diff(offsets)[within] >= 0) for offsets in (places.start, places.end)]
    return bool(np.all(places.start >= 0) and np.all(places.start <= places.end) and all(ascending))
