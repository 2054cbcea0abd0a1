"""The embedding column: stored vectors into an Arrow array, and out of it again."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.output.quantized import AT_ONCE, STORED, Vectors, bits_set

__all__ = [
    "Vectors",
    "embedding_column",
    "embedding_type",
    "embedding_width",
    "numbers_of_rows",
    "vector_norms",
    "vector_parts",
    "vector_type",
    "vectors_of",
    "widened",
]


def embedding_type(width: int, dtype: str, sequence: bool) -> pa.DataType:
    """FixedSizeList<number>[width], or for `sequence` a List of it, a vector a token.

    dtype: as in the encoder spec; `quantized` says what numbers store it, and how many are the width. They are declared
    to be never null, which makes them several times faster to read.
    """
    number = pa.field("element", pa.from_numpy_dtype(STORED[dtype]), nullable=False)
    vector = pa.list_(number, width)
    return pa.list_(pa.field("element", vector, nullable=False)) if sequence else vector


def embedding_column(vectors: Vectors, width: int, dtype: str) -> pa.ChunkedArray:
    """Stored vectors [n, width], or n arrays [tokens, width], each a chunk of its own, as a column of the embedding
    type; not copied where they are contiguous.

    Raises ValueError when shape or dtype are others.
    """
    sequence = not isinstance(vectors, np.ndarray)
    kind = embedding_type(width, dtype, sequence)
    if not sequence:
        return pa.chunked_array([_vector_array(vectors, kind)], kind)
    chunks = [
        pa.ListArray.from_arrays(
            pa.array([0, len(states)], pa.int32()), _vector_array(states, kind.value_type), type=kind
        )
        for states in vectors
    ]
    return pa.chunked_array(chunks, kind)


def vector_type(kind: pa.DataType) -> Any:
    """The type of one stored vector in a column of the embedding type."""
    return kind.value_type if pa.types.is_list(kind) else kind


def embedding_width(schema: pa.Schema) -> int | None:
    """Numbers a vector in a shard's embedding column; None where it is missing, or of a type that stores no vectors."""
    if "embedding" not in schema.names:
        return None
    kind = vector_type(schema.field("embedding").type)
    stored = pa.types.is_fixed_size_list(kind) and kind.value_type in map(pa.from_numpy_dtype, STORED.values())
    return kind.list_size if stored else None


def vector_parts(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """The stored vectors of an embedding column [n, width], a chunk at a time and not copied; those of all tokens where
    it is of lists."""
    for chunk in column.chunks:
        flat = chunk if pa.types.is_fixed_size_list(chunk.type) else chunk.flatten()
        yield flat.flatten().to_numpy(zero_copy_only=True).reshape(-1, flat.type.list_size)


def vectors_of(column: pa.ChunkedArray) -> np.ndarray:
    """The stored vectors of a whole embedding column [n, width]. Not copied where the column is one chunk."""
    parts = list(vector_parts(column))
    if len(parts) == 1:
        return parts[0]
    vector = vector_type(column.type)
    return np.concatenate([np.empty((0, vector.list_size), vector.value_type.to_pandas_dtype()), *parts])


def numbers_of_rows(column: pa.ChunkedArray) -> np.ndarray:
    """How many numbers store each row's vectors, int64 [n]."""
    vector = vector_type(column.type)
    if vector == column.type:
        return np.full(len(column), vector.list_size)
    lengths = [np.diff(chunk.offsets) for chunk in column.chunks]
    return np.concatenate([np.empty(0, np.int64), *lengths]) * vector.list_size


def vector_norms(vectors: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """The Euclidean lengths, float32 [n], of stored vectors [n, width]; not finite where a vector is not.

    scale: of int8 vectors. The length of a binary vector is that of its bits, taken as 0 and 1.
    """
    if vectors.dtype == STORED["binary"]:
        return np.sqrt(bits_set(vectors), dtype=np.float32)
    norms = [np.sqrt(np.einsum("ij,ij->i", some, some)) for some in widened(vectors)]
    return np.concatenate([np.empty(0, np.float32), *norms]) * np.float32(scale)


def widened(vectors: np.ndarray) -> Iterator[np.ndarray]:
    """The vectors in float32, a few at a time where they are of another type."""
    for start in range(0, len(vectors), AT_ONCE):
        yield vectors[start : start + AT_ONCE].astype(np.float32, copy=False)


def _vector_array(vectors: np.ndarray, kind: Any) -> pa.FixedSizeListArray:
    width, dtype = kind.list_size, kind.value_type.to_pandas_dtype()
    if vectors.ndim != 2 or vectors.shape[1] != width or vectors.dtype != dtype:
        raise ValueError(f"vectors are {vectors.dtype} {vectors.shape}, not {np.dtype(dtype)} [n, {width}]")
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(vectors).reshape(-1)), type=kind)
