"""How long encoders had nothing to do between their first unit and their last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.job.idle import Encoder, idle_share, with_unit

# Alternately without and with a unit, in milliseconds.
TIMES = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=20)


def units_of(times):
    """From when to when each unit was encoded."""
    units, now = [], 0
    for pause, work in times:
        units.append((now + pause, now + pause + work))
        now += pause + work
    return units


def encoder_of(units):
    encoder = None
    for start, stop in units:
        encoder = with_unit(encoder, start, stop)
    assert encoder is not None
    return encoder


@given(TIMES, st.randoms())
def test_idle_is_what_lies_between_units_in_whatever_order_they_are_told(times, random):
    units = units_of(times)
    random.shuffle(units)
    encoder = encoder_of(units)
    assert encoder.idle == sum(pause for pause, _ in times[1:])
    assert encoder.idle + encoder.busy == encoder.last - encoder.first
    assert encoder.units == len(times)


@given(st.lists(TIMES, max_size=4))
def test_the_share_is_that_of_all_encoders_together(runs):
    encoders = [encoder_of(units_of(times)) for times in runs]
    idle, between = sum(each.idle for each in encoders), sum(each.last - each.first for each in encoders)
    assert idle_share(encoders) == (idle / between if between else None)


@given(TIMES)
def test_the_share_is_one_of_0_to_1(times):
    share = idle_share([encoder_of(units_of(times))])
    assert share is None or 0 <= share <= 1


def test_an_encoder_of_one_unit_was_never_idle():
    assert idle_share([with_unit(None, 5, 9)]) == 0


def test_before_the_first_unit_and_after_the_last_nothing_counts():
    assert encoder_of([(100, 110), (112, 120)]) == Encoder(first=100, last=120, busy=18, units=2)


@pytest.mark.parametrize("encoders", [[], [Encoder(7, 7, 0)]])
def test_where_no_time_was_there_is_no_share(encoders):
    assert idle_share(encoders) is None
