"""Limits of a key: taken before a request is served, and what cannot ever be had is told at once."""

import pytest

from serving.http.api_error import ApiError
from serving.http.api_keys import ApiKey
from serving.http.key_limits import KeyLimits

KEY = ApiKey("team", "0" * 64, tokens_per_minute=60, requests_per_minute=2)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limits(clock):
    return KeyLimits(clock)


def refusal(take, *arguments) -> ApiError:
    with pytest.raises(ApiError) as refused:
        take(*arguments)
    return refused.value


def test_requests_at_once_are_not_more_than_the_limit(limits):
    limits.take_request(KEY)
    limits.take_request(KEY)
    assert refusal(limits.take_request, KEY).status == 429


def test_tokens_that_are_refused_are_not_taken(limits):
    limits.take_tokens(KEY, 50)
    error = refusal(limits.take_tokens, KEY, 20)
    assert (error.status, error.retry_after) == (429, 10)
    limits.take_tokens(KEY, 10)


def test_after_the_seconds_that_were_told_there_is_room(limits, clock):
    limits.take_tokens(KEY, 60)
    clock.now = refusal(limits.take_tokens, KEY, 7).retry_after
    limits.take_tokens(KEY, 7)


def test_who_has_to_wait_for_less_than_a_second_is_told_one(limits, clock):
    limits.take_tokens(KEY, 60)
    clock.now = 0.9
    assert refusal(limits.take_tokens, KEY, 1).retry_after == 1


def test_more_than_a_minute_brings_is_to_be_sent_in_parts(limits):
    error = refusal(limits.take_tokens, KEY, 61)
    assert (error.status, error.retry_after, "send it in parts" in error.message) == (400, None, True)


def test_limits_that_the_file_changes_count_from_then_on(limits):
    limits.take_tokens(KEY, 60)
    limits.take_tokens(ApiKey("team", "0" * 64, tokens_per_minute=100), 100)


def test_without_limits_everything_may_be_had(limits):
    for key in (None, ApiKey("free", "1" * 64)):
        limits.take_request(key)
        limits.take_tokens(key, 1 << 40)
