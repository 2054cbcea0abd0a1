"""The embedding column: vectors into an Arrow array, and out of it again."""

import numpy as np
import pyarrow as pa

Vectors = np.ndarray | list[np.ndarray]

# Vectors whose norms are taken at once: float16 ones are widened a little at a time.
NORMS_AT_ONCE = 4096


def embedding_type(dimension: int, dtype: str, sequence: bool) -> pa.DataType:
    """FixedSizeList<dtype>[dimension], or for `sequence` a List of it, a vector a token. dtype: float32 or float16.

    The numbers are declared to be never null, which makes them several times faster to read.
    """
    number = pa.field("element", pa.from_numpy_dtype(np.dtype(dtype)), nullable=False)
    vector = pa.list_(number, dimension)
    return pa.list_(pa.field("element", vector, nullable=False)) if sequence else vector


def vector_array(vectors: Vectors, dimension: int, dtype: str) -> pa.Array:
    """Vectors [n, dimension], or n arrays [tokens, dimension], as an array of the embedding type.

    Raises ValueError when shape or dtype are others.
    """
    sequence = not isinstance(vectors, np.ndarray)
    flat = np.concatenate([np.empty((0, dimension), dtype), *vectors]) if sequence else vectors
    if flat.ndim != 2 or flat.shape[1] != dimension or flat.dtype != dtype:
        raise ValueError(f"vectors are {flat.dtype} {flat.shape}, not {dtype} [n, {dimension}]")
    kind = embedding_type(dimension, dtype, sequence)
    numbers = pa.array(np.ascontiguousarray(flat).reshape(-1))
    if not sequence:
        return pa.FixedSizeListArray.from_arrays(numbers, type=kind)
    offsets = pa.array(np.cumsum([0, *map(len, vectors)], dtype=np.int32))
    return pa.ListArray.from_arrays(
        offsets, pa.FixedSizeListArray.from_arrays(numbers, type=kind.value_type), type=kind
    )


def vectors_of(column: pa.ChunkedArray) -> np.ndarray:
    """The vectors of an embedding column as [n, dimension], those of all tokens where it is of lists.

    Not copied where the column is one chunk.
    """
    vector = column.type if pa.types.is_fixed_size_list(column.type) else column.type.value_type
    parts = [_chunk_vectors(chunk, vector.list_size) for chunk in column.chunks]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([np.empty((0, vector.list_size), vector.value_type.to_pandas_dtype()), *parts])


def vector_norms(vectors: np.ndarray) -> np.ndarray:
    """The Euclidean lengths, float32 [n], of vectors [n, dimension]; not finite where a vector is not."""
    norms = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), NORMS_AT_ONCE):
        some = vectors[start : start + NORMS_AT_ONCE].astype(np.float32, copy=False)
        norms[start : start + len(some)] = np.sqrt(np.einsum("ij,ij->i", some, some))
    return norms


def _chunk_vectors(chunk: pa.Array, dimension: int) -> np.ndarray:
    if not pa.types.is_fixed_size_list(chunk.type):
        chunk = chunk.flatten()
    return chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, dimension)
