"""What every unit of a running job is up to: how many workers died of it, whether it has ended, whether it is late.

Ray restarts a dead worker and repeats its tasks without end. The ledger lives outside the workers, in an actor beside
the driver. A worker may hold two units when it dies, and only one of them is to blame: a unit that was in a worker
when it died runs alone from then on, so that the third death is surely its own.

A worker with nothing left to do asks for a late unit, one that has taken far longer than others, or that waits at a
worker which does not come to it, and does it too. Both write the same rows to the same name.
"""

import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple, Protocol

from pipelines.corpus.plan import Unit

MOST_DEATHS = 3

# What `begin` answers for a unit that has ended already.
ENDED = -1

# A unit is late after so many times the median of its like, and never before so many seconds.
LATE_FACTOR = 3.0
LATE_SECONDS = 30.0
LIKE = 1000


class Late(Enum):
    """None of the units is late yet; or none will be, since all have ended or somebody else does them too."""

    NOT_YET = "not yet"
    NEVER = "never"


class Ledger(Protocol):
    """The ledger, near or far."""

    def begin(self, name: str, worker: str, alone: bool = False) -> int:
        """Counts a beginning, and gives how many workers died with this unit in them; ENDED where it came to an end.

        A beginning of what workers died of is not counted unless it is `alone`.
        """
        ...

    def end(self, name: str) -> None:
        """A unit came to an end, whatever the outcome."""
        ...

    def late(self, worker: str, idle: float) -> Unit | Late:
        """A late unit that is not in this worker, given out once. idle: seconds that the worker has waited for one."""
        ...


class _Open(NamedTuple):
    """A unit that has begun and not ended."""

    since: float
    worker: str


class UnitLedger:
    """The ledger, kept in this process.

    units: those of files that are cut, which any worker can do, in the order in which they are dealt out.
    """

    def __init__(
        self,
        units: Iterable[Unit] = (),
        late_seconds: float = LATE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unfinished = {unit.name: unit for unit in units}
        self._late_seconds = late_seconds
        self._clock = clock
        self._begun: Counter[str] = Counter()
        self._open: dict[str, _Open] = {}
        self._ended: set[str] = set()
        self._given: set[str] = set()
        self._seconds: deque[float] = deque(maxlen=LIKE)

    def begin(self, name: str, worker: str, alone: bool = False) -> int:
        """As Ledger.begin."""
        deaths = self._begun[name]
        if deaths and not alone:
            return deaths
        self._begun[name] += 1
        self._open[name] = _Open(self._clock(), worker)
        return ENDED if name in self._ended and not deaths else deaths

    def end(self, name: str) -> None:
        """As Ledger.end."""
        self._begun.pop(name, None)
        self._ended.add(name)
        self._unfinished.pop(name, None)
        if begun := self._open.pop(name, None):
            self._seconds.append(self._clock() - begun.since)

    def late(self, worker: str, idle: float) -> Unit | Late:
        """As Ledger.late."""
        waiting = [unit for name, unit in self._unfinished.items() if name not in self._given]
        patience = max(self._late_seconds, LATE_FACTOR * statistics.median(self._seconds or [0.0]))
        now = self._clock()
        for unit in waiting:
            begun = self._open.get(unit.name)
            overdue = idle > patience if begun is None else now - begun.since > patience
            if overdue and (begun is None or begun.worker != worker):
                self._given.add(unit.name)
                return unit
        return Late.NOT_YET if waiting else Late.NEVER


class RemoteLedger:
    """The ledger, kept by a UnitLedger that is a Ray actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def begin(self, name: str, worker: str, alone: bool = False) -> int:
        """As Ledger.begin; back only when it is counted."""
        return _answer(self._actor.begin.remote(name, worker, alone))

    def end(self, name: str) -> None:
        """As Ledger.end; not waited for: a death meanwhile is held against a unit that is not done again anyway."""
        self._actor.end.remote(name)

    def late(self, worker: str, idle: float) -> Unit | Late:
        """As Ledger.late."""
        return _answer(self._actor.late.remote(worker, idle))


def _answer(reference: Any) -> Any:
    import ray

    return ray.get(reference)
