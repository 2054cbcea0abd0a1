"""Axes end at round numbers, hold all that is drawn on them, and have a few ticks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.axis import around, from_zero, round_step, time_unit, up_to

POSITIVE = st.floats(1e-9, 1e30)
NUMBERS = st.floats(-1e30, 1e30)


@given(POSITIVE)
def test_an_axis_from_zero_reaches_its_highest_value_and_not_far_beyond(high):
    axis = from_zero(high, "")
    assert axis.low == 0
    assert high * (1 - 1e-8) <= axis.high <= 2.5 * high
    assert 2 <= len(axis.ticks) <= 5


@given(POSITIVE)
def test_an_axis_up_to_a_value_ends_there_and_its_ticks_before(high):
    axis = up_to(high, "")
    assert axis.high == high
    assert axis.ticks[-1] <= high * (1 + 1e-8)
    assert 2 <= len(axis.ticks) <= 6


@given(NUMBERS, NUMBERS)
def test_an_axis_around_values_holds_them_even_where_they_are_one(one, other):
    low, high = sorted((one, other))
    axis = around(low, high, "")
    slack = 1e-8 * max(abs(low), abs(high), 1e-9)
    assert axis.low < axis.high
    assert axis.low - slack <= low <= high <= axis.high + slack
    assert 2 <= len(axis.ticks) <= 7


@given(POSITIVE)
def test_no_two_ticks_are_written_alike(high):
    labels = [text for _, text in from_zero(high, "").labels()]
    assert len(set(labels)) == len(labels)


@given(POSITIVE)
def test_a_round_step_is_one_two_or_five_of_a_power_of_ten(least):
    step = round_step(least)
    assert least * (1 - 1e-8) <= step <= 2.5 * least * (1 + 1e-8)
    assert f"{step:.6e}"[:8] in ("1.000000", "2.000000", "5.000000")


@pytest.mark.parametrize(("high", "ticks"), [(0, (0, 1)), (1, (0, 1)), (3, (0, 1, 2, 3)), (7, (0, 2, 4, 6, 8))])
def test_what_is_counted_has_whole_ticks(high, ticks):
    assert from_zero(high, "", least_step=1).ticks == ticks


@pytest.mark.parametrize(
    ("seconds", "unit"),
    [(0.2, "seconds"), (180, "seconds"), (181, "minutes"), (11_000, "hours"), (400_000, "days"), (1e9, "days")],
)
def test_time_is_told_in_a_unit_that_suits_it(seconds, unit):
    assert time_unit(seconds)[1] == unit


def test_what_lies_outside_an_axis_is_drawn_at_its_end():
    assert from_zero(10, "").share(np.array([-5.0, 5.0, 50.0])).tolist() == [0, 0.5, 1]
