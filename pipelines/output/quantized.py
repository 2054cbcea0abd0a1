"""The numbers in which a shard stores vectors: float32 and float16 as they are, int8 times a scale, or a bit each.

int8: vector ≈ scale × numbers, with one scale a shard: the largest absolute number of the unit's vectors / 127.
binary: bit 1 where the vector's number is above 0, eight bits a byte from the highest, as `numpy.packbits` and FAISS's
binary indexes have them; the bits that fill up the last byte are 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Vectors = np.ndarray | list[np.ndarray]

# The type of the stored numbers, by dtype of the encoder spec.
STORED = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "int8": np.dtype(np.int8),
    "binary": np.dtype(np.uint8),
}

LARGEST = 127
BITS = 8

# Vectors that are made wider at once, so that the wide ones stay in the processor's caches.
AT_ONCE = 1024

SET_IN_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1).sum(axis=1, dtype=np.uint8)


class StoredVectors(NamedTuple):
    """vectors: as they are stored, [n, width], or for `sequence` n arrays [tokens, width]. scale: 1 but for int8."""

    vectors: Vectors
    scale: float


def quantized(vectors: Vectors, dtype: str) -> StoredVectors:
    """A unit's vectors as a shard stores them. vectors: finite, [n, dim], or for `sequence` n arrays [tokens, dim], in
    float16 for dtype float16, else float32."""
    if dtype == "int8":
        scale = int8_scale(vectors)
        return StoredVectors(_each(vectors, lambda part: to_int8(part, scale)), scale)
    return StoredVectors(_each(vectors, to_bits) if dtype == "binary" else vectors, 1.0)


def stored_width(dimension: int, dtype: str) -> int:
    """Numbers that store one vector."""
    return -(-dimension // BITS) if dtype == "binary" else dimension


def vector_bytes(dimension: int, dtype: str) -> int:
    """Bytes that store one vector."""
    return stored_width(dimension, dtype) * STORED[dtype].itemsize


def int8_scale(vectors: Vectors) -> float:
    """The scale under which the largest number becomes 127 or -127; 1 where there are only zeros, or no vectors."""
    parts = [vectors] if isinstance(vectors, np.ndarray) else vectors
    largest = max((max(float(part.max()), -float(part.min())) for part in parts if part.size), default=0.0)
    return largest / LARGEST or 1.0


def to_int8(vectors: np.ndarray, scale: float) -> np.ndarray:
    """The nearest multiples of the scale, int8 [n, dim]. vectors: none larger than 127 × scale."""
    numbers = np.empty(vectors.shape, np.int8)
    for start in range(0, len(vectors), AT_ONCE):
        # In float64, which holds the scale of the smallest float32 vectors too.
        numbers[start : start + AT_ONCE] = np.rint(np.divide(vectors[start : start + AT_ONCE], scale, dtype=np.float64))
    return numbers


def to_bits(vectors: np.ndarray) -> np.ndarray:
    """Where vectors [n, dim] are above 0, packed: uint8 [n, ceil(dim / 8)]."""
    return np.packbits(vectors > 0, axis=1)


def bits_set(bits: np.ndarray) -> np.ndarray:
    """How many bits are set in each of uint8 [n, width], int32 [n]."""
    return SET_IN_BYTE[bits].sum(axis=1, dtype=np.int32)


def impossible(stored: np.ndarray, dimension: int) -> np.ndarray:
    """Which stored vectors, bool [n], hold what quantising never gives: -128, or a bit behind the last number's."""
    if stored.dtype == STORED["int8"]:
        return np.any(stored < -LARGEST, axis=1)
    if stored.dtype == STORED["binary"] and stored.shape[1] == stored_width(dimension, "binary"):
        behind = stored.shape[1] * BITS - dimension
        return np.any(stored[:, -1:] & ((1 << behind) - 1), axis=1)
    return np.zeros(len(stored), bool)


def _each(vectors: Vectors, change: Callable[[np.ndarray], np.ndarray]) -> Vectors:
    return change(vectors) if isinstance(vectors, np.ndarray) else [change(part) for part in vectors]
