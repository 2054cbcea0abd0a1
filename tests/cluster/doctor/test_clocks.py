"""Clocks: what cannot be explained by the time that an answer took is told."""

import pytest

from cluster.doctor.clocks import Asked, check_clocks, seconds_off


@pytest.mark.parametrize(
    ("asked", "off"),
    [
        (Asked(100.0, 100.5, 101.0), 0.0),
        (Asked(100.0, 111.0, 101.0), 10.0),
        (Asked(100.0, 93.0, 101.0), -7.0),
    ],
)
def test_a_clock_is_off_by_what_the_asking_does_not_explain(asked, off):
    assert seconds_off(asked) == off


@pytest.mark.parametrize(("told", "level"), [(100.5, "ok"), (111.0, "warning"), (5000.0, "FAILURE")])
def test_a_clock_far_enough_off_for_stores_to_refuse_is_a_failure(told, level):
    (finding,) = check_clocks({"n1": Asked(100.0, told, 101.0)})
    assert finding.level == level
