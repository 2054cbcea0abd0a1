"""The ledger: deaths are held against units, ends are remembered, late units are given out, one worker commits."""

import math
from dataclasses import replace

import pytest

from pipelines.corpus.plan import Unit
from pipelines.job.ledger import (
    CLAIM_SECONDS,
    GIVEN_UP_SECONDS,
    LATE_FACTOR,
    LATE_SECONDS,
    LOOK_SECONDS,
    MOST_COPIES,
    Begun,
    Claim,
    Copy,
    Holder,
    UnitLedger,
)
from pipelines.job.record import Outcome, Record

FIRST, SECOND = Unit(0, 0), Unit(0, 1)
A, B, C = (Holder(worker, "1") for worker in "abc")


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
    ledger.begin(FIRST.name, A)
    return ledger


def test_what_a_lost_call_had_in_hand_its_worker_died_with(ledger):
    ledger.begin(SECOND.name, Holder("a", "2"))
    ledger.lost("2")
    assert [ledger.begin(name, C).deaths for name in (FIRST.name, SECOND.name)] == [0, 1]


def test_a_commit_of_a_call_that_is_given_up_has_a_while_to_end(ledger, clock):
    ledger.claim(FIRST.name, A)
    ledger.given_up(A.call)
    assert ledger.claim(FIRST.name, Holder("a", "2")) is Claim.ANOTHERS
    clock.now = GIVEN_UP_SECONDS + 1
    assert ledger.claim(FIRST.name, Holder("a", "2")) is Claim.MINE


def test_a_call_that_was_given_up_commits_nothing_more(ledger):
    ledger.given_up(A.call)
    assert ledger.claim(FIRST.name, A) is Claim.DONE
    assert ledger.claim(FIRST.name, Holder("b", "2")) is Claim.MINE


def test_a_call_that_was_given_up_begins_nothing_more_and_nobody_waits_for_it(ledger, clock):
    ledger.given_up(A.call)
    assert ledger.begin(SECOND.name, A) == Begun(0, unwanted=True)
    ledger.lost(A.call)
    assert ledger.begin(SECOND.name, Holder("b", "2")) == Begun(0)


def test_a_call_that_was_given_up_is_given_no_late_unit(ledger):
    ledger.given_up(A.call)
    assert ledger.late(A, idle=math.inf) is None


def test_the_failure_of_a_call_that_was_given_up_is_not_the_units(ledger):
    ledger.given_up(A.call)
    ledger.end(FIRST.name, A, failed(FIRST))
    assert ledger.take() == []
    assert ledger.without_record([FIRST.name]) == [FIRST.name]


def test_a_call_that_is_given_back_has_nothing_in_hand_any_more_and_died_of_nothing(ledger):
    ledger.claim(FIRST.name, A)
    ledger.given_back(A.call)
    assert ledger.claim(FIRST.name, Holder("b", "2")) is Claim.MINE
    ledger.arrive(A.worker)
    assert ledger.begin(FIRST.name, C) == Begun(0)


def test_nobody_died_of_what_was_given_up(ledger):
    ledger.given_up(A.call)
    ledger.lost(A.call)
    assert ledger.begin(FIRST.name, Holder("b", "2")) == Begun(0)


def test_what_a_call_that_was_given_up_makes_after_all_counts(ledger):
    ledger.given_up(A.call)
    ledger.end(FIRST.name, A, done(FIRST))
    assert ledger.take() == [done(FIRST)]


def test_a_unit_without_a_record_is_neither_done_nor_failed(ledger):
    third = Unit(0, 2)
    ledger.end(FIRST.name, A, failed(FIRST))
    ledger.begin(SECOND.name, B)
    ledger.end(third.name, C, done(third))
    assert ledger.without_record([SECOND.name, FIRST.name, third.name]) == [SECOND.name]


def test_what_a_worker_had_in_hand_before_it_started_again_it_died_with(ledger):
    ledger.begin(SECOND.name, Holder("a", "2"))
    ledger.begin("something else", B)
    ledger.arrive("a")
    assert [ledger.begin(name, C).deaths for name in (FIRST.name, SECOND.name, "something else")] == [1, 1, 0]


def test_a_unit_of_which_a_worker_died_is_held_only_alone(ledger):
    ledger.arrive("a")
    ledger.begin(FIRST.name, A)
    ledger.arrive("a")
    assert ledger.begin(FIRST.name, A, alone=True).deaths == 1
    ledger.arrive("a")
    assert ledger.begin(FIRST.name, A).deaths == 2


def test_a_unit_that_ends_is_not_held_against_it_later(ledger):
    ledger.end(FIRST.name, A, done(FIRST))
    assert ledger.begin(FIRST.name, B) == Begun(0, done=True)
    assert ledger.begin(SECOND.name, B) == Begun(0)


def test_a_unit_that_failed_is_not_done(ledger):
    ledger.end(FIRST.name, A, failed(FIRST))
    assert ledger.begin(FIRST.name, B) == Begun(0)


def test_a_death_counts_for_who_has_a_late_unit_too(ledger, clock):
    clock.now = LATE_SECONDS + 1
    ledger.late(B, idle=0)
    assert ledger.begin(FIRST.name, B) == Begun(0)
    ledger.arrive("b")
    assert ledger.begin(FIRST.name, C).deaths == 1


def test_nobody_died_of_a_late_unit_that_waited_for_its_turn(ledger, clock):
    clock.now = LATE_SECONDS + 1
    ledger.late(B, idle=0)
    ledger.arrive("b")
    assert ledger.begin(FIRST.name, C).deaths == 0


def test_a_late_unit_that_others_died_of_is_begun_only_alone(ledger, clock):
    ledger.arrive("a")
    ledger.late(B, idle=LATE_SECONDS + 1)
    ledger.late(C, idle=LATE_SECONDS + 1)
    for holder, alone in ((B, True), (C, False)):
        ledger.begin(SECOND.name, holder)
        ledger.begin(FIRST.name, holder, alone)
    ledger.arrive("c")
    assert ledger.begin(FIRST.name, A).deaths == 1


def test_a_late_unit_whose_taker_died_is_given_to_another_in_its_place(ledger, clock):
    for _ in range(MOST_COPIES):
        clock.now += LATE_SECONDS + 1
        assert ledger.late(B, idle=0) == Copy(FIRST, last=False)
        ledger.arrive("b")


def test_a_unit_is_late_after_a_fixed_time_at_least(ledger, clock):
    clock.now = LATE_SECONDS
    assert ledger.late(B, idle=0) is None
    clock.now += 1
    assert ledger.late(B, idle=0) == Copy(FIRST, last=False)


def test_a_unit_is_late_when_it_takes_far_longer_than_its_like(ledger, clock):
    clock.now = LATE_SECONDS
    ledger.end(FIRST.name, A, done(FIRST))
    ledger.begin(SECOND.name, A)
    clock.now += LATE_FACTOR * LATE_SECONDS
    assert ledger.late(B, idle=0) is None
    clock.now += 1
    assert ledger.late(B, idle=0) == Copy(SECOND, last=False)


def test_what_is_no_unit_does_not_say_how_long_units_take(ledger, clock):
    ledger.begin("file (stripe 1 of 1), slice 0", C)
    clock.now = 100 * LATE_SECONDS
    ledger.end("file (stripe 1 of 1), slice 0", C)
    assert ledger.late(B, idle=0) == Copy(FIRST, last=False)


def test_a_late_unit_is_given_to_workers_that_have_nothing(ledger, clock):
    ledger.begin("something else", B)
    clock.now = LATE_SECONDS + 1
    assert ledger.late(A, idle=0) is None
    assert ledger.late(B, idle=0) is None
    assert ledger.late(C, idle=0) == Copy(FIRST, last=False)


def test_a_unit_that_nobody_begins_is_given_to_who_has_waited_long_the_last_one_first(clock):
    ledger = UnitLedger([FIRST, SECOND], clock=clock)
    assert ledger.late(B, idle=LATE_SECONDS) is None
    assert ledger.late(B, idle=LATE_SECONDS + 1) == Copy(SECOND, last=False)
    assert ledger.late(C, idle=LATE_SECONDS + 1) == Copy(FIRST, last=False)


def test_a_unit_whose_taker_does_not_come_to_an_end_is_given_to_others_a_few_times(ledger, clock):
    taken = []
    for worker in "bcdef":
        clock.now += LATE_SECONDS + 1
        taken.append(ledger.late(Holder(worker, "1"), idle=0))
    assert [copy.last for copy in taken[:MOST_COPIES]] == [False, False, True]
    assert taken[MOST_COPIES:] == [None, None]


@pytest.mark.parametrize("record", [done(FIRST), failed(FIRST)], ids=["done", "failed"])
def test_a_unit_with_a_record_is_finished(ledger, record):
    ledger.end(FIRST.name, A, record)
    assert ledger.late(B, idle=math.inf) == Copy(SECOND, last=False)
    ledger.end(SECOND.name, B, done(SECOND))
    assert not ledger.unfinished()
    assert ledger.late(B, idle=math.inf) is None


def test_a_unit_without_a_record_is_unfinished(ledger):
    ledger.end(FIRST.name, A)
    assert ledger.late(B, idle=math.inf) == Copy(SECOND, last=False)
    assert ledger.late(C, idle=math.inf) == Copy(FIRST, last=False)


def test_of_two_workers_with_one_unit_one_may_commit_unless_it_takes_for_ever(ledger, clock):
    assert ledger.claim(FIRST.name, A) is Claim.MINE
    assert ledger.claim(FIRST.name, B) is Claim.ANOTHERS
    assert ledger.claim(FIRST.name, A) is Claim.MINE
    clock.now = CLAIM_SECONDS + 1
    assert ledger.claim(FIRST.name, B) is Claim.MINE


def test_what_is_done_is_for_nobody_to_commit(ledger):
    ledger.end(FIRST.name, A, done(FIRST))
    assert ledger.claim(FIRST.name, B) is Claim.DONE


def test_a_claim_ends_with_a_failed_commit(ledger):
    ledger.claim(FIRST.name, A)
    ledger.end(FIRST.name, A)
    assert ledger.claim(FIRST.name, B) is Claim.MINE


def test_a_claim_ends_with_a_death(ledger):
    ledger.claim(FIRST.name, A)
    ledger.arrive("a")
    assert ledger.claim(FIRST.name, B) is Claim.MINE


def test_of_two_threads_of_one_worker_one_may_commit(ledger):
    ledger.claim(FIRST.name, A)
    assert ledger.claim(FIRST.name, Holder("a", "2")) is Claim.ANOTHERS


def test_a_failure_after_the_unit_was_done_is_nobodys_concern(ledger):
    ledger.end(FIRST.name, B, done(FIRST))
    ledger.end(FIRST.name, A, failed(FIRST))
    assert ledger.take() == [done(FIRST)]


def test_what_a_failure_after_the_unit_was_done_tells_of_storage_counts(ledger):
    ledger.end(FIRST.name, B, done(FIRST))
    ledger.end(FIRST.name, A, late := replace(failed(FIRST), retries=7))
    assert ledger.take() == [done(FIRST), late]


def test_records_are_taken_once_in_their_order(ledger):
    ended = Record("stripe", Outcome.ENDED)
    ledger.end(FIRST.name, A, done(FIRST))
    ledger.tell(ended)
    assert ledger.take() == [done(FIRST), ended]
    assert ledger.take() == []


@pytest.fixture
def ghost(ledger):
    """Of the worker a, which was restarted, the process that it was before; it lives on and has the first unit."""
    ghost = Holder("a", "ghost", life="1")
    ledger.arrive("a", "1")
    ledger.begin(FIRST.name, ghost, alone=True)
    ledger.claim(FIRST.name, ghost)
    ledger.arrive("a", "2")
    return ghost


def test_a_process_in_whose_place_is_another_one_begins_nothing_more(ledger, ghost):
    assert ledger.begin(SECOND.name, ghost).unwanted
    assert not ledger.begin(SECOND.name, Holder("a", "1", life="2")).unwanted


def test_a_process_in_whose_place_is_another_one_commits_nothing_more(ledger, ghost):
    assert ledger.claim(FIRST.name, ghost) is Claim.DONE
    assert ledger.claim(FIRST.name, Holder("a", "1", life="2")) is Claim.MINE


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ENDED])
def test_the_failures_of_a_process_in_whose_place_is_another_one_are_nobodys(ledger, ghost, outcome):
    ledger.end(FIRST.name, ghost, Record(FIRST.name, outcome))
    assert ledger.take() == []
    assert ledger.unfinished()


def test_what_a_process_in_whose_place_is_another_one_has_made_counts(ledger, ghost):
    ledger.end(FIRST.name, ghost, done(FIRST))
    assert ledger.take() == [done(FIRST)]


def test_a_process_in_whose_place_is_another_one_is_given_no_late_unit(ledger, ghost):
    assert ledger.late(ghost, idle=math.inf) is None


def test_the_end_of_a_stripe_in_a_call_that_was_given_up_is_not_the_stripes(ledger):
    ledger.given_up(A.call)
    ledger.end("stripe", A, Record("stripe", Outcome.ENDED))
    assert ledger.take() == []


def test_a_late_unit_that_did_not_reach_who_asked_for_it_is_given_again(ledger, clock):
    clock.now = LATE_SECONDS + 1
    assert [ledger.late(B, idle=0) for _ in range(2 * MOST_COPIES)] == [Copy(FIRST, last=False)] * 2 * MOST_COPIES


def test_when_no_unit_was_late_it_is_not_looked_for_one_for_a_while(ledger, clock):
    clock.now = LATE_SECONDS - LOOK_SECONDS / 2
    assert ledger.late(B, idle=0) is None
    clock.now += 0.9 * LOOK_SECONDS
    assert ledger.late(B, idle=0) is None
    clock.now += 0.2 * LOOK_SECONDS
    assert ledger.late(B, idle=0) == Copy(FIRST, last=False)


def test_a_unit_that_waits_is_given_to_who_has_waited_long_though_others_have_just_asked(ledger, clock):
    assert ledger.late(B, idle=0) is None
    assert ledger.late(C, idle=LATE_SECONDS + 1) == Copy(SECOND, last=False)


def test_when_all_have_their_copies_nobody_is_told_of_late_units_for_a_while(ledger, clock):
    takers = [Holder(f"taker {number}", "1") for number in range(2 * MOST_COPIES)]
    ledger.end(FIRST.name, A, done(FIRST))
    for taker in takers[:MOST_COPIES]:
        clock.now += LATE_SECONDS + 1
        ledger.late(taker, idle=math.inf)
    clock.now += LATE_SECONDS + 1
    assert ledger.late(B, idle=math.inf) is None
    ledger.arrive(takers[0].worker)
    assert ledger.late(B, idle=math.inf) is None
    clock.now += LOOK_SECONDS
    assert ledger.late(B, idle=math.inf) == Copy(SECOND, last=True)


def test_a_node_that_is_unfit_is_told_once_however_many_workers_say_so(ledger):
    for _ in range(3):
        ledger.unfit("n1", Record("n1", Outcome.UNFIT, "the disk is full"))
    assert [record.message for record in ledger.take()] == ["the disk is full"]


def test_what_a_worker_on_a_lost_node_had_in_hand_it_died_with(ledger):
    ledger.arrive("a", node="lost")
    ledger.begin(FIRST.name, A, alone=True)
    ledger.claim(FIRST.name, A)
    ledger.nodes_lost(["lost"])
    assert ledger.claim(FIRST.name, B) is Claim.MINE
    assert ledger.begin(FIRST.name, B).deaths == 2


def test_that_a_node_is_lost_concerns_no_worker_elsewhere(ledger):
    ledger.arrive("a", node="lost")
    ledger.arrive("a", node="other")
    ledger.begin(FIRST.name, A, alone=True)
    ledger.claim(FIRST.name, A)
    ledger.nodes_lost(["lost"])
    assert ledger.claim(FIRST.name, B) is Claim.ANOTHERS
