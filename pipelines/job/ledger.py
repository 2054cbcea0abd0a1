"""What every unit of a running job is up to: who has it, how many workers died of it, what came of it.

Ray restarts a dead worker and repeats its tasks without end. The ledger lives outside the workers, in an actor beside
the driver. A worker may hold two units when it dies, and only one of them is to blame: a unit that was in a worker
when it died runs alone from then on, so that the third death is surely its own.

A worker with nothing left to do asks for a late unit, one that has taken far longer than others, or that waits at a
worker which does not come to it, and does it too. Of the workers with one unit, the one that holds the claim commits.

What came of a unit is told to the ledger, and the driver takes it from there: what Ray hands on of a repeated task it
may leave out.
"""

import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple, Protocol

from pipelines.corpus.plan import Unit
from pipelines.job.record import Outcome, Record

MOST_DEATHS = 3

# A unit is late after so many times the median of its like, and never before so many seconds.
LATE_FACTOR = 3.0
LATE_SECONDS = 30.0
LIKE = 1000

# So often a unit is given to another worker; the failure of the last of them counts.
MOST_COPIES = 3

# A commit that takes longer is taken for dead.
CLAIM_SECONDS = 600.0

# The driver is woken no more often: each time costs Ray some 25 ms.
WAKE_SECONDS = 0.1


class Begun(NamedTuple):
    """deaths: how many workers died with it. done: whether its shard is there."""

    deaths: int
    done: bool = False


class Copy(NamedTuple):
    """A late unit to be done. last: whether nobody else will be given it."""

    unit: Unit
    last: bool


class Claim(Enum):
    """Who may commit a unit: the asker, another worker, or nobody any more, since it is done."""

    MINE = "mine"
    ANOTHERS = "another's"
    DONE = "done"


class Ledger(Protocol):
    """The ledger, near or far."""

    def begin(self, name: str, worker: str, alone: bool = False) -> Begun:
        """Notes that the worker has it. One of what workers died of is not noted unless it is `alone`."""
        ...

    def claim(self, name: str, worker: str) -> Claim:
        """Asks to be the one that commits the unit."""
        ...

    def end(self, name: str, worker: str, record: Record | None = None) -> bool:
        """The worker came to an end with it, and did not die. record: what the driver is to know of it.

        Gives whether the driver is to be woken, since there are records for it.
        """
        ...

    def tell(self, record: Record) -> None:
        """What the driver is to know of something else than a unit."""
        ...

    def late(self, worker: str, idle: float) -> Copy | None:
        """A late unit, for a worker that has none. idle: seconds that the worker has waited for it."""
        ...

    def unfinished(self) -> bool:
        """Whether the record of a unit is still due."""
        ...


class _Attempt(NamedTuple):
    """A worker has something since then. copy: whether the ledger gave it out."""

    since: float
    copy: bool


class _Held(NamedTuple):
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
        # In each, the workers that have it: few, since only what is in hand is here.
        self._attempts: dict[str, dict[str, _Attempt]] = {}
        self._deaths: Counter[str] = Counter()
        self._claims: dict[str, _Held] = {}
        self._done: set[str] = set()
        self._copies: Counter[str] = Counter()
        self._seconds: deque[float] = deque(maxlen=LIKE)
        self._records: list[Record] = []
        self._woken = float("-inf")

    def begin(self, name: str, worker: str, alone: bool = False) -> Begun:
        """As Ledger.begin."""
        attempts = self._attempts.setdefault(name, {})
        if worker not in attempts:
            self._bury(name, attempts)
        deaths, done = self._deaths[name], name in self._done
        if alone or not deaths:
            attempts.setdefault(worker, _Attempt(self._clock(), copy=False))
        return Begun(deaths, done)

    def _bury(self, name: str, attempts: dict[str, _Attempt]) -> None:
        """Takes note of a death: Ray gives a task to another worker only then, and copies are given out here."""
        for worker in [worker for worker, attempt in attempts.items() if not attempt.copy]:
            del attempts[worker]
            self._deaths[name] += 1
            self._release(name, worker)

    def claim(self, name: str, worker: str) -> Claim:
        """As Ledger.claim."""
        if name in self._done:
            return Claim.DONE
        held = self._claims.get(name)
        if held and held.worker != worker and self._clock() - held.since <= CLAIM_SECONDS:
            return Claim.ANOTHERS
        self._claims[name] = _Held(self._clock(), worker)
        return Claim.MINE

    def _release(self, name: str, worker: str) -> None:
        held = self._claims.get(name)
        if held and held.worker == worker:
            del self._claims[name]

    def end(self, name: str, worker: str, record: Record | None = None) -> bool:
        """As Ledger.end."""
        attempts = self._attempts.get(name, {})
        attempt = attempts.pop(worker, None)
        if not attempts:
            self._attempts.pop(name, None)
        self._release(name, worker)
        if record is not None:
            self._enter(name, record, attempt)
        return self._wake()

    def _enter(self, name: str, record: Record, attempt: _Attempt | None) -> None:
        if record.outcome is Outcome.DONE:
            self._done.add(name)
            if attempt and name in self._unfinished:
                self._seconds.append(self._clock() - attempt.since)
        self._unfinished.pop(name, None)
        self._records.append(record)

    def tell(self, record: Record) -> None:
        """As Ledger.tell."""
        self._records.append(record)

    def take(self) -> list[Record]:
        """The records that the driver has not taken yet."""
        records, self._records = self._records, []
        return records

    def _wake(self) -> bool:
        due = bool(self._records) and self._clock() - self._woken >= WAKE_SECONDS
        if due:
            self._woken = self._clock()
        return due

    def late(self, worker: str, idle: float) -> Copy | None:
        """As Ledger.late."""
        if any(worker in attempts for attempts in self._attempts.values()):
            return None
        patience = max(self._late_seconds, LATE_FACTOR * statistics.median(self._seconds or [0.0]))
        # From the end: its own worker comes to the first ones next.
        for unit in reversed(self._unfinished.values()):
            if self._copies[unit.name] < MOST_COPIES and self._waited(unit.name, idle) > patience:
                self._copies[unit.name] += 1
                self._attempts.setdefault(unit.name, {})[worker] = _Attempt(self._clock(), copy=True)
                return Copy(unit, last=self._copies[unit.name] == MOST_COPIES)
        return None

    def _waited(self, name: str, idle: float) -> float:
        """Seconds that the unit has been with the last one who got it, or that the asker has waited beside it."""
        attempts = self._attempts.get(name)
        return self._clock() - max(attempt.since for attempt in attempts.values()) if attempts else idle

    def unfinished(self) -> bool:
        """As Ledger.unfinished."""
        return bool(self._unfinished)


class RemoteLedger:
    """The ledger, kept by a UnitLedger that is a Ray actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def begin(self, name: str, worker: str, alone: bool = False) -> Begun:
        """As Ledger.begin; back only when it is noted."""
        return _answer(self._actor.begin.remote(name, worker, alone))

    def claim(self, name: str, worker: str) -> Claim:
        """As Ledger.claim."""
        return _answer(self._actor.claim.remote(name, worker))

    def end(self, name: str, worker: str, record: Record | None = None) -> bool:
        """As Ledger.end."""
        return _answer(self._actor.end.remote(name, worker, record))

    def tell(self, record: Record) -> None:
        """As Ledger.tell; back only when it is noted."""
        _answer(self._actor.tell.remote(record))

    def late(self, worker: str, idle: float) -> Copy | None:
        """As Ledger.late."""
        return _answer(self._actor.late.remote(worker, idle))

    def unfinished(self) -> bool:
        """As Ledger.unfinished."""
        return _answer(self._actor.unfinished.remote())


def _answer(reference: Any) -> Any:
    import ray

    return ray.get(reference)
