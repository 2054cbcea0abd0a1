"""Numbers as the report writes them."""

import pytest

from pipelines.report.written import number, share, time_spent


@pytest.mark.parametrize(
    ("value", "step", "told"),
    [
        (0, 1, "0"),
        (1200, 200, "1,200"),
        (0.05, 0.01, "0.05"),
        (1.0, 0.5, "1.0"),
        (2_500_000, 500_000, "2.5 M"),
        (3e9, 1e9, "3 G"),
        (1e30, 1, "1e+30"),
        (2e-9, 1e-9, "2e-09"),
    ],
)
def test_a_number_has_the_decimals_of_its_step(value, step, told):
    assert number(value, step) == told


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (0, 0, "0%"),
        (1, 1, "100%"),
        (1, 8, "12%"),
        (1, 30, "3.3%"),
        (1, 70_000, "0.0014%"),
        (3, 76_000_000, "under 0.0001%"),
        (9_999, 10_000, "over 99%"),
        (199, 200, "over 99%"),
        (99, 100, "99%"),
    ],
)
def test_a_share_keeps_two_digits_and_is_never_said_to_be_none_or_all(part, whole, told):
    assert share(part, whole) == told


@pytest.mark.parametrize(("seconds", "told"), [(0.04, "0.0 s"), (9.25, "9.2 s"), (42.4, "42 s"), (200, "3 min 20 s")])
def test_a_short_time_has_a_decimal(seconds, told):
    assert time_spent(seconds) == told
