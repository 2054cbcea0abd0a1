"""A thread's time is cut into phases that add up to all of it."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.job.phases import Phase, PhaseWatch, steady_clock

STEPS = st.lists(st.tuples(st.sampled_from(Phase), st.integers(0, 100)), max_size=20)


class Clock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def watched(watch, clock, steps):
    """Enters each phase and stays there; gives what was spent."""
    for phase, seconds in steps:
        watch.enter(phase)
        clock.now += seconds
    return watch.take()


@given(STEPS)
def test_phases_add_up_to_the_time_between_and_each_has_what_was_spent_in_it(steps):
    clock = Clock()
    spent = watched(PhaseWatch(Phase, clock), clock, steps)
    assert spent.started + spent.seconds == clock.now
    for phase in Phase:
        assert spent.phases[phase] == sum(seconds for entered, seconds in steps if entered is phase)


@given(STEPS, STEPS)
def test_what_comes_next_begins_where_the_last_one_ended(first, second):
    clock = Clock()
    watch = PhaseWatch(Phase, clock)
    before = watched(watch, clock, first)
    after = watched(watch, clock, second)
    assert after.started == before.started + before.seconds


def test_time_before_any_phase_is_entered_is_spent_in_the_first():
    clock = Clock()
    watch = PhaseWatch(Phase, clock)
    clock.now += 3
    assert watch.take().phases == (3, 0, 0, 0, 0, 0, 0, 0, 0)


def test_the_first_phase_may_have_begun_before_the_watch():
    clock = Clock()
    assert PhaseWatch(Phase, clock, started=clock.now - 5).take().phases[0] == 5


def test_the_clock_is_never_set_back():
    clock = steady_clock()
    assert clock() <= clock()
