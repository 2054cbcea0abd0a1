"""Numbers as people read them."""

import pytest

from pipelines.numbers import count, duration, failures_told, rate, size


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (999, "999 rows"), (76_594, "76,594 rows")]
)
def test_a_count_has_its_noun(number, told):
    assert count(number, "row") == told


@pytest.mark.parametrize(
    ("units", "files", "told"),
    [
        (0, 0, ""),
        (1, 0, "1 unit failed"),
        (0, 2, "2 files could not be read on"),
        (2, 1, "2 units failed, 1 file could not be read on"),
    ],
)
def test_files_that_failed_are_told_apart_from_units(units, files, told):
    assert failures_told(units, files) == told


@pytest.mark.parametrize(("number", "told"), [(1, "1 corpus"), (2, "2 corpora")])
def test_a_noun_may_have_its_own_plural(number, told):
    assert count(number, "corpus", "corpora") == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (8, "8 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 00 h"),
        (11 * 86_400 + 4 * 3600 + 59 * 60, "11 d 04 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, told):
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0 B"),
        (640, "640 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (2.5e9, "2.5 GB"),
        (3e12, "3.0 TB"),
        (4e15, "4.0 PB"),
        (5e18, "5000.0 PB"),
    ],
)
def test_a_size_is_in_powers_of_a_thousand(number, told):
    assert size(number) == told


@pytest.mark.parametrize(
    ("number", "told"), [(0.0421, "0.042"), (3.14, "3.1"), (9.94, "9.9"), (9.96, "10"), (214.6, "215"), (1203, "1,203")]
)
def test_a_rate_has_two_digits_at_least(number, told):
    assert rate(number) == told
