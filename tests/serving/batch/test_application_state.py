"""How long a job waits for an application that does not answer."""

from collections.abc import Iterable

import pytest

from pipelines.errors import EncorpusError
from serving.batch.application_state import GONE_SECONDS, LOADING_SECONDS, LOOK_SECONDS, Seen, Watch

RUNNING, STARTING, EMPTY, GONE = Seen(True, running=2), Seen(True, starting=1), Seen(True), Seen()
UNSEEN = None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def watched(states: Iterable[tuple[float, Seen | None]]) -> list[Seen]:
    """What a watch sees that looks at these times, at an application in these states."""
    clock, now = Clock(), list[Seen | None]([GONE])
    watch = Watch("app", lambda name: now[0], clock)
    seen = []
    for clock.now, now[0] in states:
        seen.append(watch.look())
    return seen


def test_what_was_seen_holds_for_two_seconds():
    just_before, after = LOOK_SECONDS / 2, LOOK_SECONDS
    assert watched([(0, RUNNING), (just_before, GONE), (after, GONE)]) == [RUNNING, RUNNING, GONE]


def test_an_application_may_be_away_for_a_minute_again_and_again():
    times = [(0, RUNNING), (GONE_SECONDS, GONE), (GONE_SECONDS + 5, RUNNING), (2 * GONE_SECONDS, GONE)]
    assert watched(times)[-1] == GONE


@pytest.mark.parametrize("state", [RUNNING, STARTING, GONE])
def test_an_application_that_cannot_be_seen_is_taken_for_what_it_was(state):
    assert watched([(0, state), (GONE_SECONDS, UNSEEN)]) == [state, state]


@pytest.mark.parametrize("state", [GONE, EMPTY, UNSEEN])
def test_an_application_without_a_replica_that_even_starts_is_given_up_after_a_minute(state):
    with pytest.raises(EncorpusError, match=r"^--through app: no replica .* for 65 s; .*run the same command again"):
        watched([(0, RUNNING), (GONE_SECONDS + 5, state)])


def test_a_replica_may_load_for_longer():
    times = [(0, RUNNING), *((minute * 60, STARTING) for minute in range(1, int(LOADING_SECONDS / 60) + 1))]
    assert watched(times)[-1] == STARTING
    with pytest.raises(EncorpusError, match="no replica"):
        watched([*times, (LOADING_SECONDS + 60, STARTING)])
