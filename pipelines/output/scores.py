"""How near stored vectors are to a query: the cosine, whatever numbers they are stored in."""

import numpy as np

from pipelines.output.quantized import STORED, bits_set, to_bits
from pipelines.output.vectors import widened

TINY = np.finfo(np.float32).tiny


def scores(stored: np.ndarray, query: np.ndarray) -> np.ndarray:
    """The cosines, float32 [n], of a query, float32 [dim], with vectors as a shard stores them [n, width].

    Of int8 vectors the scale does not matter. A binary vector, and then the query too, counts as 1 where its bit is set
    and -1 elsewhere: the cosine is 1 - 2 × (bits that differ) / dim. Raises ValueError when the query is of another
    dimension.
    """
    if stored.dtype == STORED["binary"]:
        return sign_cosines(stored, to_bits(query[np.newaxis])[0], len(query))
    return cosines(stored, query / max(float(np.linalg.norm(query)), TINY))


def cosines(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The cosines, float32 [n], of vectors [n, dim] with a direction [dim] of length 1; 0 for vectors of length 0."""
    found = [np.empty(0, np.float32)]
    for some in widened(vectors):
        lengths = np.sqrt(np.einsum("ij,ij->i", some, some))
        # einsum, not BLAS: BLAS would start threads of its own under each of ours.
        found.append(np.einsum("ij,j->i", some, direction) / np.maximum(lengths, TINY))
    return np.concatenate(found)


def sign_cosines(bits: np.ndarray, query: np.ndarray, dimension: int) -> np.ndarray:
    """The cosines, float32 [n], of packed bits, uint8 [n, width], with a query's [width], as signs of `dimension`."""
    if bits.shape[1] != len(query):
        raise ValueError(f"vectors of {bits.shape[1]} bytes, and a query of {len(query)}")
    return ((dimension - 2 * bits_set(bits ^ query)) / dimension).astype(np.float32)
