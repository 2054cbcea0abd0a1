"""What a thread of a worker spends its time on, phase by phase, so that it adds up without gaps."""

import time
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple


class Phase(IntEnum):
    """Of a unit, in the order in which it goes through them.

    tell: the ledger takes the outcome of the unit before. ask: the ledger is asked for the unit, whose turn is waited
    for. wait: another unit has the encoder. assemble: rows and vectors become the unit's rows. claim: the ledger is
    asked for the right to commit. commit: rejects and shard are made and written.
    """

    TELL = 0
    ASK = 1
    READ = 2
    TOKENIZE = 3
    WAIT = 4
    ENCODE = 5
    ASSEMBLE = 6
    CLAIM = 7
    COMMIT = 8


class StartPhase(IntEnum):
    """Of a worker that starts. boot: from its process's beginning until Ray has it make the worker. plan: the ledger is
    told, and the plan is read. model: the model is found, and fetched if need be. load: libraries are imported, and the
    model becomes an encoder."""

    BOOT = 0
    PLAN = 1
    MODEL = 2
    LOAD = 3


class Spent(NamedTuple):
    """started: seconds since 1970. phases: seconds in each phase, in their order, one after the other from then on."""

    started: float
    phases: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """In all."""
        return sum(self.phases)


class PhaseWatch:
    """A stopwatch of one thread, which is always in one of the phases of an enumeration that counts from 0."""

    def __init__(self, phases: type[IntEnum], clock: Callable[[], float], started: float | None = None) -> None:
        """clock: in seconds since 1970, and never back. started: when the first phase began, if not now."""
        self._clock = clock
        self._phases = phases
        self._begin(clock() if started is None else started)

    def enter(self, phase: IntEnum) -> None:
        """The phase before ends, and this one begins, perhaps not for the first time."""
        now = self._clock()
        self._seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    def take(self) -> Spent:
        """What there was until now; from here on it counts anew, in the first phase."""
        self.enter(self._phases(0))
        spent = Spent(self._started, tuple(self._seconds))
        self._begin(self._since)
        return spent

    def _begin(self, now: float) -> None:
        self._started = self._since = now
        self._phase = self._phases(0)
        self._seconds = [0.0] * len(self._phases)


def steady_clock() -> Callable[[], float]:
    """A clock of seconds since 1970 as they are now, which nobody sets afterwards."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()
