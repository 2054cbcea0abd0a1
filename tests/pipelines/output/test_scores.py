"""Scores: the cosine of a query with vectors in any form, and for bits the Hamming distance that FAISS counts."""

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from pipelines.encoder.spec import DTYPES
from pipelines.output.quantized import quantized, to_bits
from pipelines.output.scores import cosines, scores, sign_cosines

DIMENSION = 20
NUMBER = st.integers(-1000, 1000)
VECTORS = numbers.arrays(np.float32, st.tuples(st.integers(0, 30), st.just(DIMENSION)), elements=NUMBER)
QUERIES = numbers.arrays(np.float32, DIMENSION, elements=NUMBER)


def signs(vectors: np.ndarray) -> np.ndarray:
    return np.where(vectors > 0, 1.0, -1.0)


@given(VECTORS, QUERIES)
def test_of_binary_vectors_the_score_is_the_cosine_of_the_signs(vectors, query):
    expected = signs(vectors) @ signs(query) / DIMENSION
    np.testing.assert_allclose(scores(to_bits(vectors), query), expected, atol=1e-6)


@given(VECTORS, QUERIES)
def test_of_int8_vectors_the_score_is_the_cosine_of_the_scaled_ones(vectors, query):
    stored, scale = quantized(vectors, "int8")
    scaled = np.asarray(stored, np.float64) * scale
    lengths = np.linalg.norm(scaled, axis=1) * np.linalg.norm(query.astype(np.float64))
    expected = scaled @ query / np.where(lengths > 0, lengths, 1)
    np.testing.assert_allclose(scores(np.asarray(stored), query), expected, atol=1e-5)


def test_scores_and_order_are_those_of_a_binary_index_of_faiss():
    rng = np.random.default_rng(0)
    vectors, query = rng.standard_normal((500, 64)).astype(np.float32), rng.standard_normal(64).astype(np.float32)
    index = faiss.IndexBinaryFlat(64)
    index.add(to_bits(vectors))  # pyright: ignore[reportCallIssue]
    distances, rows = index.search(to_bits(query[np.newaxis]), 500)  # pyright: ignore[reportCallIssue]
    found = scores(to_bits(vectors), query)
    np.testing.assert_allclose(found[rows[0]], 1 - 2 * distances[0] / 64, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_vector_is_nearest_to_itself_in_every_form(dtype):
    vectors = np.random.default_rng(1).standard_normal((3000, DIMENSION)).astype(np.float32)
    stored = quantized(vectors.astype(np.float16) if dtype == "float16" else vectors, dtype).vectors
    found = scores(np.asarray(stored), vectors[2500])
    assert found.dtype == np.float32
    assert found[2500] == pytest.approx(1, abs=1e-3) == found.max()


def test_a_vector_without_length_is_near_nothing():
    assert cosines(np.zeros((2, 4), np.float32), np.array([1, 0, 0, 0], np.float32)).tolist() == [0, 0]


def test_a_query_without_length_is_near_nothing():
    assert scores(np.ones((2, 4), np.float32), np.zeros(4, np.float32)).tolist() == [0, 0]


def test_bits_of_another_dimension_are_refused():
    with pytest.raises(ValueError, match="vectors of 1 bytes, and a query of 2"):
        sign_cosines(np.zeros((3, 1), np.uint8), np.zeros(2, np.uint8), 16)
