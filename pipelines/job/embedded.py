"""A unit's rows with what the encoder made of each; a row with a vector that is not finite becomes a reject."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipelines.corpus.plan import CorpusFile
from pipelines.corpus.rows import UnitRows, reject_row, reject_table
from pipelines.encoder.tokens import ChunkPlaces, Chunks, Tokens
from pipelines.errors import EncorpusError
from pipelines.output.rejects import NOT_FINITE
from pipelines.output.vectors import Vectors

if TYPE_CHECKING:  # the driver loads this module too, and needs no TensorFlow
    from pipelines.encoder.text_encoder import Encoded


@dataclass(frozen=True)
class EmbeddedRows:
    """rows: of the input. tokens: int32 [n], after truncation. truncated: bool [n]. vectors: [n, dim], or for
    `sequence` n arrays [tokens, dim]. chunks: where the n chunks of these rows' documents lie; None where there are n
    rows, which have a vector each."""

    rows: UnitRows
    tokens: np.ndarray
    truncated: np.ndarray
    vectors: Vectors
    chunks: ChunkPlaces | None = None


def embedded_rows(file: CorpusFile, rows: UnitRows, tokens: Tokens, encoded: "Encoded") -> EmbeddedRows:
    """Puts rows and vectors together.

    Raises EncorpusError where no vector of several is finite: then it is not the rows that are at fault.
    """
    chunks, lengths, truncated = _of_each_vector(tokens)
    finite = _finite(encoded.vectors)
    # A document is embedded as a whole or not at all.
    good = finite if chunks is None else np.logical_and.reduceat(finite, chunks.first) if len(finite) else finite
    if good.all():
        return EmbeddedRows(rows, lengths, truncated, encoded.vectors, chunks)
    if len(good) > 1 and not good.any():
        raise EncorpusError(
            f"{rows.unit.name} of {file.uri}: all {len(good)} vectors are NaN or infinite; check the model with "
            "`encorpus check`, or compute with --precision float32"
        )
    kept = good if chunks is None else good[chunks.document]
    return EmbeddedRows(
        rows=replace(
            rows, table=rows.table.filter(pa.array(good)), rejects=_with_rejects(file, rows, np.flatnonzero(~good))
        ),
        tokens=lengths[kept],
        truncated=truncated[kept],
        vectors=_at(encoded.vectors, kept),
        chunks=chunks and chunks.of(good),
    )


def _of_each_vector(tokens: Tokens) -> tuple[ChunkPlaces | None, np.ndarray, np.ndarray]:
    """For n vectors: where their chunks lie, if they are of chunks; their numbers of tokens; whether text was cut."""
    if isinstance(tokens, Chunks) and tokens.pooled:
        return None, tokens.document_tokens, np.zeros(len(tokens.document_tokens), bool)
    places = tokens.places if isinstance(tokens, Chunks) else None
    return places, tokens.lengths[tokens.row], tokens.truncated[tokens.row]


def _finite(vectors: Vectors) -> np.ndarray:
    """Whether each row's vectors are finite, bool [n]."""
    if isinstance(vectors, np.ndarray):
        return np.asarray(np.isfinite(vectors).all(axis=1))
    return np.array([np.isfinite(states).all() for states in vectors], bool)


def _at(vectors: Vectors, chosen: np.ndarray) -> Vectors:
    """Those of the rows for which chosen, bool [n], is true."""
    if isinstance(vectors, np.ndarray):
        return vectors[chosen]
    return [states for states, good in zip(vectors, chosen, strict=True) if good]


def _with_rejects(file: CorpusFile, rows: UnitRows, places: np.ndarray) -> pa.Table:
    """The unit's rejects with these rows of its table among them, in the order of the file."""
    added = [
        reject_row(file, row["row"], NOT_FINITE, row["text"], str(row["id"]))
        for row in rows.table.take(pa.array(places)).to_pylist()
    ]
    every = [*rows.rejects.to_pylist(), *added]
    return reject_table(sorted(every, key=lambda reject: (reject["row"] is None, reject["row"] or 0)))
