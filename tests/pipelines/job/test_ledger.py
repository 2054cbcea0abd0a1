"""The ledger: deaths are held against units, ends are remembered, late units are given out, one worker commits."""

import math

import pytest

from pipelines.corpus.plan import Unit
from pipelines.job.ledger import (
    CLAIM_SECONDS,
    LATE_FACTOR,
    LATE_SECONDS,
    MOST_COPIES,
    WAKE_SECONDS,
    Begun,
    Claim,
    Copy,
    UnitLedger,
)
from pipelines.job.record import Outcome, Record

FIRST, SECOND = Unit(0, 0), Unit(0, 1)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def done(unit: Unit) -> Record:
    return Record(unit.name, Outcome.DONE)


def failed(unit: Unit) -> Record:
    return Record(unit.name, Outcome.FAILED)


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
    ledger.end(FIRST.name, "a", done(FIRST))
    assert ledger.begin(FIRST.name, "b") == Begun(0, done=True)
    assert ledger.begin(SECOND.name, "b") == Begun(0)


def test_a_unit_that_failed_is_not_done(ledger):
    ledger.end(FIRST.name, "a", failed(FIRST))
    assert ledger.begin(FIRST.name, "b") == Begun(0)


def test_a_worker_that_does_a_late_unit_beside_its_own_worker_is_no_death(ledger, clock):
    clock.now = LATE_SECONDS + 1
    ledger.late("b", idle=0)
    assert ledger.begin(FIRST.name, "b") == Begun(0)
    ledger.end(FIRST.name, "b")
    assert ledger.begin(FIRST.name, "c").deaths == 1


def test_a_late_unit_that_killed_a_worker_is_known_for_it(ledger, clock):
    ledger.begin(FIRST.name, "b")
    ledger.begin(FIRST.name, "b", alone=True)
    clock.now = LATE_SECONDS + 1
    ledger.late("c", idle=0)
    assert ledger.begin(FIRST.name, "c").deaths == 1


def test_a_unit_is_late_after_a_fixed_time_at_least(ledger, clock):
    clock.now = LATE_SECONDS
    assert ledger.late("b", idle=0) is None
    clock.now += 1
    assert ledger.late("b", idle=0) == Copy(FIRST, last=False)


def test_a_unit_is_late_when_it_takes_far_longer_than_its_like(ledger, clock):
    clock.now = LATE_SECONDS
    ledger.end(FIRST.name, "a", done(FIRST))
    ledger.begin(SECOND.name, "a")
    clock.now += LATE_FACTOR * LATE_SECONDS
    assert ledger.late("b", idle=0) is None
    clock.now += 1
    assert ledger.late("b", idle=0) == Copy(SECOND, last=False)


def test_what_is_no_unit_does_not_say_how_long_units_take(ledger, clock):
    ledger.begin("file (stripe 1 of 1), slice 0", "c")
    clock.now = 100 * LATE_SECONDS
    ledger.end("file (stripe 1 of 1), slice 0", "c")
    assert ledger.late("b", idle=0) == Copy(FIRST, last=False)


def test_a_late_unit_is_given_to_workers_that_have_nothing(ledger, clock):
    ledger.begin("something else", "b")
    clock.now = LATE_SECONDS + 1
    assert ledger.late("a", idle=0) is None
    assert ledger.late("b", idle=0) is None
    assert ledger.late("c", idle=0) == Copy(FIRST, last=False)


def test_a_unit_that_nobody_begins_is_given_to_who_has_waited_long_the_last_one_first(clock):
    ledger = UnitLedger([FIRST, SECOND], clock=clock)
    assert ledger.late("b", idle=LATE_SECONDS) is None
    assert ledger.late("b", idle=LATE_SECONDS + 1) == Copy(SECOND, last=False)
    assert ledger.late("c", idle=LATE_SECONDS + 1) == Copy(FIRST, last=False)


def test_a_unit_whose_taker_does_not_come_to_an_end_is_given_to_others_a_few_times(ledger, clock):
    taken = []
    for worker in "bcdef":
        clock.now += LATE_SECONDS + 1
        taken.append(ledger.late(worker, idle=0))
    assert [copy.last for copy in taken[:MOST_COPIES]] == [False, False, True]
    assert taken[MOST_COPIES:] == [None, None]


@pytest.mark.parametrize("record", [done(FIRST), failed(FIRST)], ids=["done", "failed"])
def test_a_unit_with_a_record_is_finished(ledger, record):
    ledger.end(FIRST.name, "a", record)
    assert ledger.late("b", idle=math.inf) == Copy(SECOND, last=False)
    ledger.end(SECOND.name, "b", done(SECOND))
    assert not ledger.unfinished()
    assert ledger.late("b", idle=math.inf) is None


def test_a_unit_without_a_record_is_unfinished(ledger):
    ledger.end(FIRST.name, "a")
    assert ledger.late("b", idle=math.inf) == Copy(SECOND, last=False)
    assert ledger.late("c", idle=math.inf) == Copy(FIRST, last=False)


def test_of_two_workers_with_one_unit_one_may_commit_unless_it_takes_for_ever(ledger, clock):
    assert ledger.claim(FIRST.name, "a") is Claim.MINE
    assert ledger.claim(FIRST.name, "b") is Claim.ANOTHERS
    assert ledger.claim(FIRST.name, "a") is Claim.MINE
    clock.now = CLAIM_SECONDS + 1
    assert ledger.claim(FIRST.name, "b") is Claim.MINE


def test_what_is_done_is_for_nobody_to_commit(ledger):
    ledger.end(FIRST.name, "a", done(FIRST))
    assert ledger.claim(FIRST.name, "b") is Claim.DONE


def test_a_claim_ends_with_a_failed_commit(ledger):
    ledger.claim(FIRST.name, "a")
    ledger.end(FIRST.name, "a")
    assert ledger.claim(FIRST.name, "b") is Claim.MINE


def test_a_claim_ends_with_a_death(ledger):
    ledger.claim(FIRST.name, "a")
    ledger.begin(FIRST.name, "b")
    assert ledger.claim(FIRST.name, "b") is Claim.MINE


def test_records_are_taken_once_in_their_order(ledger):
    ended = Record("stripe", Outcome.ENDED)
    ledger.end(FIRST.name, "a", done(FIRST))
    ledger.tell(ended)
    assert ledger.take() == [done(FIRST), ended]
    assert ledger.take() == []


def test_the_driver_is_woken_for_records_and_not_too_often(ledger, clock):
    assert not ledger.end("slice read", "a")
    assert ledger.end(FIRST.name, "a", done(FIRST))
    assert not ledger.end(SECOND.name, "a", done(SECOND))
    clock.now += WAKE_SECONDS
    assert ledger.end("slice read", "a")
    ledger.take()
    clock.now += WAKE_SECONDS
    assert not ledger.end("slice read", "a")
