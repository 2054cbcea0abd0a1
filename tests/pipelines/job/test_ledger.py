"""The ledger: deaths are held against units, ends are remembered, late units are given out, one worker commits."""

import pytest

from pipelines.corpus.plan import Unit
from pipelines.job.ledger import CLAIM_SECONDS, LATE_FACTOR, LATE_SECONDS, MOST_COPIES, Begun, Copy, UnitLedger

FIRST, SECOND = Unit(0, 0), Unit(0, 1)


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
    ledger = UnitLedger([FIRST, SECOND], clock=clock)
    ledger.begin(FIRST.name, "a")
    return ledger


def test_a_unit_that_never_ended_was_in_a_worker_that_died(ledger):
    assert ledger.begin(FIRST.name, "b").deaths == 1
    assert ledger.begin(FIRST.name, "b", alone=True).deaths == 1
    assert ledger.begin(FIRST.name, "c").deaths == 2


def test_a_unit_that_ends_is_not_held_against_it_later(ledger):
    ledger.end(FIRST.name, done=True)
    assert ledger.begin(FIRST.name, "b") == Begun(0, done=True)
    assert ledger.begin(SECOND.name, "b") == Begun(0)


def test_a_unit_that_failed_is_not_done(ledger):
    ledger.end(FIRST.name, done=False)
    assert ledger.begin(FIRST.name, "b") == Begun(0)


def test_a_death_counts_for_what_was_done_once_and_is_done_again(ledger):
    ledger.end(FIRST.name, done=True)
    ledger.begin(FIRST.name, "b")
    assert ledger.begin(FIRST.name, "c").deaths == 1


def test_a_unit_is_late_after_a_fixed_time_at_least(ledger, clock):
    clock.now = LATE_SECONDS
    assert ledger.late("b", idle=0) is None
    clock.now += 1
    assert ledger.late("b", idle=0) == Copy(FIRST, last=False)


def test_a_unit_is_late_when_it_takes_far_longer_than_its_like(ledger, clock):
    clock.now = LATE_SECONDS
    ledger.end(FIRST.name, done=True)
    ledger.delivered([FIRST.name])
    ledger.begin(SECOND.name, "a")
    clock.now += LATE_FACTOR * LATE_SECONDS
    assert ledger.late("b", idle=0) is None
    clock.now += 1
    assert ledger.late("b", idle=0) == Copy(SECOND, last=False)


def test_what_is_no_unit_does_not_say_how_long_units_take(ledger, clock):
    ledger.begin("file (stripe 1 of 1), slice 0", "a")
    clock.now = 100 * LATE_SECONDS
    ledger.end("file (stripe 1 of 1), slice 0", done=True)
    assert ledger.late("b", idle=0) == Copy(FIRST, last=False)


def test_a_late_unit_is_not_given_to_its_own_worker_and_known_to_be_shared_from_then_on(ledger, clock):
    clock.now = LATE_SECONDS + 1
    assert ledger.late("a", idle=0) is None
    ledger.late("b", idle=0)
    ledger.end(FIRST.name, done=False)
    assert ledger.begin(FIRST.name, "a").shared


def test_a_unit_that_nobody_begins_is_given_to_who_has_waited_long_the_last_one_first(clock):
    ledger = UnitLedger([FIRST, SECOND], clock=clock)
    assert ledger.late("b", idle=LATE_SECONDS) is None
    assert ledger.late("b", idle=LATE_SECONDS + 1) == Copy(SECOND, last=False)
    assert ledger.late("b", idle=LATE_SECONDS + 1) == Copy(FIRST, last=False)


def test_a_unit_whose_taker_does_not_come_to_an_end_is_given_to_others_a_few_times(ledger, clock):
    taken = []
    for worker in "bcdef":
        clock.now += LATE_SECONDS + 1
        taken.append(ledger.late(worker, idle=0))
    assert [copy.last for copy in taken[:MOST_COPIES]] == [False, False, True]
    assert taken[MOST_COPIES:] == [None, None]


def test_a_unit_that_is_done_but_whose_record_never_came_is_late_too(ledger):
    ledger.end(FIRST.name, done=True)
    ledger.delivered([SECOND.name])
    assert ledger.unfinished()
    assert ledger.late("b", idle=LATE_SECONDS + 1) == Copy(FIRST, last=False)


def test_nothing_is_unfinished_when_all_records_have_come(ledger):
    ledger.delivered([FIRST.name, SECOND.name])
    assert not ledger.unfinished()
    assert ledger.late("b", idle=LATE_SECONDS + 1) is None


def test_of_two_workers_with_one_unit_one_may_commit_unless_it_takes_for_ever(ledger, clock):
    assert ledger.claim(FIRST.name, "a")
    assert not ledger.claim(FIRST.name, "b")
    assert ledger.claim(FIRST.name, "a")
    clock.now = CLAIM_SECONDS + 1
    assert ledger.claim(FIRST.name, "b")
