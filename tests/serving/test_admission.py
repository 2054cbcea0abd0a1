"""Room in the queue and limits by the minute: who waits, who is sent away, and for how long."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.admission import MOST_QUEUE_SECONDS, Queue, Throughput, admit
from serving.http.api_error import ApiError
from serving.http.rate_limit import RateLimit


def test_who_fits_into_the_queue_is_let_in():
    admit(tokens=40, queue=Queue(60, 60), most_waiting=100, rate=None)


@pytest.mark.parametrize(("rate", "seconds"), [(10.0, 5), (1000.0, 1), (None, 1)])
def test_who_does_not_fit_is_told_when_there_will_be_room(rate, seconds):
    with pytest.raises(ApiError) as refused:
        admit(tokens=50, queue=Queue(100, 0), most_waiting=100, rate=rate)
    assert (refused.value.status, refused.value.retry_after) == (429, seconds)


def test_what_never_fits_is_to_be_sent_in_parts():
    with pytest.raises(ApiError, match="send it in parts") as refused:
        admit(tokens=101, queue=Queue(0, 0), most_waiting=100, rate=10.0)
    assert (refused.value.status, refused.value.retry_after) == (400, None)


def test_who_would_wait_long_is_told_when_the_queue_will_be_short_enough():
    queue = Queue(tokens=9000, ahead=int(100 * MOST_QUEUE_SECONDS) + 700)
    with pytest.raises(ApiError) as refused:
        admit(tokens=1, queue=queue, most_waiting=10_000, rate=100.0)
    assert (refused.value.status, refused.value.retry_after) == (429, 7)


def test_a_long_queue_that_is_not_ahead_of_a_request_keeps_nobody_out():
    admit(tokens=1, queue=Queue(tokens=9000, ahead=100), most_waiting=10_000, rate=100.0)


def test_the_rate_is_that_of_late():
    rate = Throughput()
    assert rate.tokens_per_second is None
    for _ in range(100):
        rate.add(100, 1.0)
    assert rate.tokens_per_second == pytest.approx(100)
    for _ in range(100):
        rate.add(500, 1.0)
    assert rate.tokens_per_second == pytest.approx(500, rel=0.01)


@given(st.integers(1, 1000), st.lists(st.tuples(st.floats(0, 30), st.integers(1, 500)), max_size=50))
def test_no_more_is_taken_than_the_limit_allows(per_minute, asked):
    limit, now, taken = RateLimit(per_minute, 0.0), 0.0, 0
    for pause, amount in asked:
        now += pause
        if not limit.wait(amount, now):
            limit.take(amount, now)
            taken += amount
    assert taken <= per_minute * (1 + now / 60) + 1e-6


@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(1, 1000))
def test_after_the_time_that_was_told_the_amount_may_be_taken(per_minute, before, amount):
    limit = RateLimit(per_minute, 0.0)
    limit.take(min(before, per_minute), 0.0)
    wait = limit.wait(amount, 0.0)
    assert math.isinf(wait) == (amount > per_minute)
    if wait < math.inf:
        assert limit.wait(amount, wait * 1.000001 + 1e-6) == 0


def test_without_a_limit_nobody_waits():
    limit = RateLimit(None, 0.0)
    limit.take(1 << 40, 0.0)
    assert limit.wait(1 << 40, 0.0) == 0
