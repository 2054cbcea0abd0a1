"""The self-check sees every vector that is off, and nothing that nobody sees."""

import numpy as np
import pytest

from pipelines.encoder.self_check import TOLERANCE, SelfCheck
from pipelines.output.check_sample import ALLOWED_BY_PRECISION

MASK = np.array([[1, 1, 0], [1, 0, 0]], np.int32)
BATCHES = [(MASK, MASK, MASK)]


def distance(vectors, due):
    check = SelfCheck.of(lambda *batch: due, BATCHES)
    return check.worst_distance(lambda *batch, full: np.asarray(vectors))


def test_equal_vectors_are_at_distance_0():
    assert distance([[3.0, 4.0], [0.0, 1.0]], [[3.0, 4.0], [0.0, 1.0]]) == 0


def test_the_worst_vector_counts_as_a_share_of_its_length():
    assert distance([[30.0, 40.5], [0.0, 1.0]], [[30.0, 40.0], [0.0, 1.0]]) == pytest.approx(0.01)


@pytest.mark.parametrize("vectors", [[[np.nan, 1.0], [0.0, 1.0]], [[1.0], [1.0]]])
def test_what_is_no_vector_is_infinitely_far(vectors):
    assert distance(vectors, [[0.0, 1.0], [0.0, 1.0]]) == np.inf


def test_of_token_vectors_those_of_padding_do_not_count():
    due = np.ones((2, 3, 4))
    off = due + (1 - MASK[..., None])
    assert distance(off, due) == 0
    assert distance(off + MASK[..., None] * [0, 0, 0, 1.0], due) == pytest.approx(0.5)


@pytest.mark.parametrize("precision", TOLERANCE)
def test_what_is_near_enough_for_it_is_so_for_verify(precision):
    assert TOLERANCE[precision] <= ALLOWED_BY_PRECISION[precision]
