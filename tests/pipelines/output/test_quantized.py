"""Stored vectors: int8 within half a step of the vector, bits as numpy and FAISS pack them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from pipelines.encoder.spec import DTYPES
from pipelines.output.quantized import (
    STORED,
    bits_set,
    impossible,
    int8_scale,
    quantized,
    stored_width,
    to_bits,
    to_int8,
    vector_bytes,
)

SHAPES = st.tuples(st.integers(0, 20), st.integers(1, 20))
VECTORS = numbers.arrays(np.float32, SHAPES, elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
BITS = numbers.arrays(np.uint8, SHAPES)


def test_every_dtype_of_the_encoder_spec_is_stored():
    assert set(STORED) == set(DTYPES)


@given(VECTORS)
def test_int8_times_the_scale_is_within_half_a_step_of_every_number(vectors: np.ndarray):
    stored, scale = quantized(vectors, "int8")
    assert isinstance(stored, np.ndarray) and stored.dtype == np.int8 and stored.shape == vectors.shape
    steps = vectors.astype(np.float64) / scale
    assert np.all(np.abs(steps - stored) <= 0.5 + 1e-9)


@given(VECTORS)
def test_the_largest_number_becomes_127_or_minus_127(vectors: np.ndarray):
    stored, scale = quantized(vectors, "int8")
    assert scale > 0
    assert np.abs(np.asarray(stored, np.int32)).max(initial=0) == (127 if vectors.any() else 0)


@pytest.mark.parametrize("vectors", [np.zeros((3, 4), np.float32), np.zeros((0, 4), np.float32), []])
def test_the_scale_of_zeros_or_of_no_vectors_is_1(vectors):
    assert quantized(vectors, "int8").scale == int8_scale(vectors) == 1


def test_the_vectors_of_a_units_tokens_share_one_scale():
    states = [np.array([[1, 2]], np.float32), np.zeros((0, 2), np.float32), np.array([[-254, 3], [0, 254]], np.float32)]
    stored, scale = quantized(states, "int8")
    assert scale == 2
    assert [part.tolist() for part in stored] == [[[0, 1]], [], [[-127, 2], [0, 127]]]


def test_more_vectors_than_are_widened_at_once_are_each_rounded():
    vectors = np.arange(-5000, 5000, dtype=np.float32).reshape(-1, 2)
    assert to_int8(vectors, 5000 / 127).tolist() == np.rint(vectors.astype(float) / (5000 / 127)).tolist()


@given(VECTORS)
def test_bits_are_numpys_with_zeros_behind_the_last(vectors: np.ndarray):
    stored, scale = quantized(vectors, "binary")
    assert isinstance(stored, np.ndarray) and scale == 1
    assert stored.shape == (len(vectors), stored_width(vectors.shape[1], "binary"))
    unpacked = np.unpackbits(stored, axis=1)
    np.testing.assert_array_equal(unpacked[:, : vectors.shape[1]], vectors > 0)
    assert not unpacked[:, vectors.shape[1] :].any()


def test_the_first_number_is_the_highest_bit_and_zero_is_no_bit():
    assert to_bits(np.array([[1, 0, -1, 0, 0, 0, 0, 2, -3, 1]], np.float32)).tolist() == [[0b10000001, 0b01000000]]


@given(BITS)
def test_the_bits_that_are_set_are_counted(bits: np.ndarray):
    assert bits_set(bits).tolist() == np.unpackbits(bits, axis=1).sum(axis=1).tolist()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_float_vectors_are_stored_as_they_are(dtype):
    vectors = np.ones((2, 3), dtype)
    assert quantized(vectors, dtype).vectors is vectors


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1536), ("float16", 768), ("int8", 384), ("binary", 48)])
def test_a_vector_takes_so_many_bytes(dtype, size):
    assert vector_bytes(384, dtype) == size


@given(VECTORS, st.sampled_from(DTYPES))
def test_what_quantising_gives_is_possible(vectors: np.ndarray, dtype: str):
    assert not impossible(np.asarray(quantized(vectors, dtype).vectors), vectors.shape[1]).any()


def test_minus_128_is_impossible():
    assert impossible(np.array([[-127, 127], [-128, 0]], np.int8), 2).tolist() == [False, True]


def test_a_bit_behind_the_last_number_is_impossible():
    stored = np.array([[255, 0b11100000], [0, 0b00010000]], np.uint8)
    assert impossible(stored, 11).tolist() == [False, True]
    assert impossible(stored, 12).tolist() == [False, False]
