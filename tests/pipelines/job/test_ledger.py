"""The ledger: deaths are held against units, ends are remembered, late units are given out."""

import pytest

from pipelines.corpus.plan import Unit
from pipelines.job.ledger import ENDED, LATE_FACTOR, LATE_SECONDS, Late, UnitLedger


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(clock):
    """Of two units; the first is in worker a."""
    ledger = UnitLedger([Unit(0, 0), Unit(0, 1)], clock=clock)
    ledger.begin("part-000000-000000", "a")
    return ledger


def test_a_unit_that_never_ended_was_in_a_worker_that_died(ledger):
    assert ledger.begin("part-000000-000000", "b") == 1
    assert ledger.begin("part-000000-000000", "b", alone=True) == 1
    assert ledger.begin("part-000000-000000", "c") == 2


def test_a_unit_that_ends_is_not_held_against_it_later(ledger):
    ledger.end("part-000000-000000")
    assert ledger.begin("part-000000-000000", "b") == ENDED
    assert ledger.begin("part-000000-000001", "b") == 0


def test_a_death_counts_for_what_had_ended_once_and_is_done_again(ledger):
    ledger.end("part-000000-000000")
    ledger.begin("part-000000-000000", "b")
    assert ledger.begin("part-000000-000000", "c") == 1


def test_a_unit_is_late_after_a_fixed_time_at_least(ledger, clock):
    clock.now = LATE_SECONDS
    assert ledger.late("b", idle=0) is Late.NOT_YET
    clock.now += 1
    assert ledger.late("b", idle=0) == Unit(0, 0)


def test_a_unit_is_late_when_it_takes_far_longer_than_its_like(clock):
    ledger = UnitLedger([Unit(0, 0), Unit(0, 1)], clock=clock)
    ledger.begin("part-000000-000000", "a")
    clock.now = LATE_SECONDS
    ledger.end("part-000000-000000")
    ledger.begin("part-000000-000001", "a")
    clock.now += LATE_FACTOR * LATE_SECONDS
    assert ledger.late("b", idle=0) is Late.NOT_YET
    clock.now += 1
    assert ledger.late("b", idle=0) == Unit(0, 1)


def test_a_late_unit_is_given_out_once_and_not_to_its_own_worker(ledger, clock):
    clock.now = LATE_SECONDS + 1
    assert ledger.late("a", idle=0) is Late.NOT_YET
    assert ledger.late("b", idle=0) == Unit(0, 0)
    assert ledger.late("c", idle=0) is Late.NOT_YET


def test_a_unit_that_nobody_begins_is_given_to_who_has_waited_long(ledger):
    assert ledger.late("b", idle=LATE_SECONDS) is Late.NOT_YET
    assert ledger.late("b", idle=LATE_SECONDS + 1) == Unit(0, 1)


def test_nothing_will_be_late_when_all_has_ended(ledger):
    ledger.end("part-000000-000000")
    ledger.end("part-000000-000001")
    assert ledger.late("b", idle=0) is Late.NEVER
