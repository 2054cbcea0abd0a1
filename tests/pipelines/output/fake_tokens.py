"""Tokens for a job without TensorFlow, of which only the numbers are true: a word is a token."""

from collections.abc import Sequence

import numpy as np

from pipelines.encoder.chunk_bounds import chunk_bounds
from pipelines.encoder.spans import between_whitespace
from pipelines.encoder.tokens import ChunkPlaces, Chunks, Tokens


def fake_tokens(texts: Sequence[str]) -> Tokens:
    """Each text's tokens."""
    rows = np.arange(len(texts))
    ids = np.zeros((len(texts), 0), np.int32)
    lengths = np.array([len(text.split()) + 2 for text in texts], np.int32)
    return Tokens(ids, ids, ids, lengths, np.array([len(text) > 40 for text in texts], bool), rows)


def fake_chunks(texts: Sequence[str], chunk_tokens: int, pool: str | None) -> Chunks:
    """Chunks of so many words, less two, one of which is repeated."""
    document, number, start, end, own = [], [], [], [], []
    for place, text in enumerate(texts):
        starts, ends = between_whitespace(text)
        for count, (first, stop) in enumerate(chunk_bounds(np.ones_like(starts), chunk_tokens - 2, 1).tolist()):
            document.append(place)
            number.append(count)
            start.append(starts[first] if stop else 0)
            end.append(ends[stop - 1] if stop else len(text))
            own.append(stop - first)
    places = ChunkPlaces(np.array(document, np.int64), *(np.array(each, np.int32) for each in (number, start, end)))
    ids = np.zeros((len(own), 0), np.int32)
    return Chunks(
        *(ids, ids, ids),
        lengths=np.array(own, np.int32) + 2,
        truncated=np.zeros(len(own), bool),
        row=np.arange(len(own)),
        places=places,
        own=np.array(own, np.int32),
        document_tokens=np.array([len(text.split()) + 2 for text in texts], np.int32),
        pooled=pool is not None,
    )


def encoded_texts(texts: list[str], tokens: Tokens) -> list[str]:
    """The texts that get a vector each: whole ones, or those of chunks."""
    if not isinstance(tokens, Chunks) or tokens.pooled:
        return list(texts)
    places = tokens.places
    return [
        texts[document][start:end]
        for document, start, end in zip(places.document, places.start, places.end, strict=True)
    ]
