"""Amounts over time: bounded bins, and not a row lost or doubled however often they double."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.job.timeline import BINS, FIRST_WIDTH, Timeline

SPANS = st.lists(
    st.tuples(st.floats(0, 1e7), st.floats(0, 1e5), st.integers(0, 40), st.integers(0, 10_000)), min_size=1, max_size=30
)


@given(SPANS, st.floats(0, 1e5))
@example([(1.0, 0.0, 0, 1)], 0.0)
def test_the_bins_add_up_to_what_was_added(spans, after):
    timeline = Timeline(series=2)
    for start, length, worker, amount in spans:
        timeline.add(start, start + length, worker, (amount, 2 * amount))
    amounts, workers = timeline.until(max(start + length for start, length, _, _ in spans) + after)
    total = sum(amount for _, _, _, amount in spans)
    np.testing.assert_allclose(amounts.sum(axis=1), (total, 2 * total), rtol=1e-9)
    assert amounts.shape[1] == len(workers) <= BINS
    assert workers.max() <= len({worker for _, _, worker, _ in spans})
    assert (amounts >= 0).all()


def test_an_amount_is_spread_evenly_over_its_time():
    timeline = Timeline(series=1)
    timeline.add(FIRST_WIDTH, 3.5 * FIRST_WIDTH, 0, (10,))
    amounts, workers = timeline.until(4 * FIRST_WIDTH)
    assert amounts.tolist() == [[0, 4, 4, 2]]
    assert workers.tolist() == [0, 1, 1, 1]


def test_a_worker_with_two_units_in_hand_counts_once():
    timeline = Timeline(series=1)
    for worker in (0, 0, 5):
        timeline.add(0, FIRST_WIDTH, worker, (1,))
    assert timeline.until(FIRST_WIDTH)[1].tolist() == [2]


def test_bins_double_when_time_goes_on_and_keep_their_sums_and_workers():
    timeline = Timeline(series=1)
    for place in range(4):
        timeline.add(place * FIRST_WIDTH, (place + 1) * FIRST_WIDTH, place, (place + 1,))
    amounts, workers = timeline.until(2 * BINS * FIRST_WIDTH)
    assert timeline.width == 2 * FIRST_WIDTH
    assert (amounts[0, :3].tolist(), workers[:3].tolist()) == ([3, 7, 0], [2, 2, 0])


@pytest.mark.parametrize("moment", [0.0, FIRST_WIDTH, BINS * FIRST_WIDTH])
def test_what_took_no_time_falls_into_one_bin(moment):
    timeline = Timeline(series=1)
    timeline.add(moment, moment, 0, (7,))
    assert np.count_nonzero(timeline.until(BINS * FIRST_WIDTH)[0]) == 1


@pytest.mark.parametrize("end", [0.0, FIRST_WIDTH / 2, FIRST_WIDTH])
def test_there_is_one_bin_at_least(end):
    assert Timeline(series=1).until(end)[0].shape == (1, 1)
