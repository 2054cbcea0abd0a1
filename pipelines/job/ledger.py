"""What every unit of a running job is up to: how many workers died of it, whether it has ended, whether it is late.

Ray restarts a dead worker and repeats its tasks without end. The ledger lives outside the workers, in an actor beside
the driver. A worker may hold two units when it dies, and only one of them is to blame: a unit that was in a worker
when it died runs alone from then on, so that the third death is surely its own.

A worker with nothing left to do asks for a late unit, one that has taken far longer than others, or that waits at a
worker which does not come to it, and does it too. Of two workers with one unit, the one that holds the claim commits.
"""

import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from pipelines.corpus.plan import Unit

MOST_DEATHS = 3

# A unit is late after so many times the median of its like, and never before so many seconds.
LATE_FACTOR = 3.0
LATE_SECONDS = 30.0
LIKE = 1000

# So often a unit is given to another worker; the failure of the last of them counts.
MOST_COPIES = 3

# A commit that takes longer is taken for dead.
CLAIM_SECONDS = 600.0


class Begun(NamedTuple):
    """deaths: how many workers died with it. done: whether it was done before. shared: whether it was given to
    another worker too."""

    deaths: int
    done: bool = False
    shared: bool = False


class Copy(NamedTuple):
    """A late unit to be done. last: whether nobody else will be given it."""

    unit: Unit
    last: bool


class Ledger(Protocol):
    """The ledger, near or far."""

    def begin(self, name: str, worker: str, alone: bool = False) -> Begun:
        """Counts a beginning. One of what workers died of is not counted unless it is `alone`."""
        ...

    def end(self, name: str, done: bool) -> None:
        """It came to an end; nobody died of it."""
        ...

    def delivered(self, names: Iterable[str]) -> None:
        """The driver has the records of these units: nobody needs to do them any more."""
        ...

    def late(self, worker: str, idle: float) -> Copy | None:
        """A late unit that is not in this worker, if there is one. idle: seconds that the worker has waited for it."""
        ...

    def claim(self, name: str, worker: str) -> bool:
        """Whether this worker, and no other, may commit the unit."""
        ...

    def unfinished(self) -> bool:
        """Whether the record of a unit is still due."""
        ...


class _Held(NamedTuple):
    """By whom, and since when."""

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
        self._open: dict[str, _Held] = {}
        self._done: set[str] = set()
        self._copies: Counter[str] = Counter()
        self._given: dict[str, _Held] = {}
        self._claims: dict[str, _Held] = {}
        self._seconds: deque[float] = deque(maxlen=LIKE)

    def begin(self, name: str, worker: str, alone: bool = False) -> Begun:
        """As Ledger.begin."""
        begun = Begun(self._begun[name], name in self._done, name in self._given)
        if alone or not begun.deaths:
            self._begun[name] += 1
            self._open[name] = _Held(self._clock(), worker)
        return begun

    def end(self, name: str, done: bool) -> None:
        """As Ledger.end."""
        self._begun.pop(name, None)
        held = self._open.pop(name, None)
        if not done:
            return
        if held and name in self._unfinished and name not in self._done:
            self._seconds.append(self._clock() - held.since)
        self._done.add(name)

    def delivered(self, names: Iterable[str]) -> None:
        """As Ledger.delivered."""
        for name in names:
            self._unfinished.pop(name, None)

    def late(self, worker: str, idle: float) -> Copy | None:
        """As Ledger.late."""
        patience = max(self._late_seconds, LATE_FACTOR * statistics.median(self._seconds or [0.0]))
        # From the end: its own worker comes to the first ones next.
        for unit in reversed(self._unfinished.values()):
            if self._copies[unit.name] < MOST_COPIES and self._is_late(unit.name, worker, idle, patience):
                self._copies[unit.name] += 1
                self._given[unit.name] = _Held(self._clock(), worker)
                return Copy(unit, last=self._copies[unit.name] == MOST_COPIES)
        return None

    def _is_late(self, name: str, worker: str, idle: float, patience: float) -> bool:
        """Whether nobody that has the unit, if anybody has, comes to an end with it."""
        holders = [held for held in (self._open.get(name), self._given.get(name)) if held is not None]
        if any(held.worker == worker or self._clock() - held.since <= patience for held in holders):
            return False
        return bool(holders) or idle > patience

    def claim(self, name: str, worker: str) -> bool:
        """As Ledger.claim."""
        held = self._claims.get(name)
        if held and held.worker != worker and self._clock() - held.since <= CLAIM_SECONDS:
            return False
        self._claims[name] = _Held(self._clock(), worker)
        return True

    def unfinished(self) -> bool:
        """As Ledger.unfinished."""
        return bool(self._unfinished)


class RemoteLedger:
    """The ledger, kept by a UnitLedger that is a Ray actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def begin(self, name: str, worker: str, alone: bool = False) -> Begun:
        """As Ledger.begin; back only when it is counted."""
        return _answer(self._actor.begin.remote(name, worker, alone))

    def end(self, name: str, done: bool) -> None:
        """As Ledger.end; not waited for: a death meanwhile is held against what is not done again anyway."""
        self._actor.end.remote(name, done)

    def delivered(self, names: Iterable[str]) -> None:
        """As Ledger.delivered; not waited for."""
        self._actor.delivered.remote(list(names))

    def late(self, worker: str, idle: float) -> Copy | None:
        """As Ledger.late."""
        return _answer(self._actor.late.remote(worker, idle))

    def claim(self, name: str, worker: str) -> bool:
        """As Ledger.claim."""
        return _answer(self._actor.claim.remote(name, worker))

    def unfinished(self) -> bool:
        """As Ledger.unfinished."""
        return _answer(self._actor.unfinished.remote())


def _answer(reference: Any) -> Any:
    import ray

    return ray.get(reference)
