"""What every unit of a running job is up to: who has it, how many workers died of it, what came of it.

Ray restarts a dead worker and repeats its tasks without end. The ledger lives outside the workers, in an actor beside
the driver; a worker that starts says so, and whatever it had in hand before, it died with. It may have held two units
then, and only one of them is to blame: such a unit runs alone from then on, so that the third death is surely its own.

A worker with nothing left to do asks for a late unit, one that has taken far longer than others, or that waits at a
worker which does not come to it, and does it too. Of the workers with one unit, the one that holds the claim commits.

What came of a unit is told to the ledger, and the driver takes it from there: what Ray hands on of a repeated task it
may leave out.
"""

import math
import statistics
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from pipelines.corpus.plan import Unit
from pipelines.job.record import Outcome, Record

MOST_DEATHS = 3

# A unit is late after so many times the median of its like, and never before so many seconds.
LATE_FACTOR = 3.0
LATE_SECONDS = 30.0
LIKE = 1000

# How long it is not looked for late units after there were none.
LOOK_SECONDS = 1.0

# So often a unit is given to another worker; the failure of the last of them counts.
MOST_COPIES = 3

# A commit that takes longer is taken for dead; and sooner one of a call that nobody waits for, whose worker is to stop:
# no sooner than that has to be over, which is `Serving.stop_seconds`.
CLAIM_SECONDS = 600.0
GIVEN_UP_SECONDS = 90.0


class Holder(NamedTuple):
    """Who has a unit. worker: a name that it keeps when it is restarted. call: the one of its calls. life: its process,
    another one each time."""

    worker: str
    call: str
    life: str = ""


class Begun(NamedTuple):
    """deaths: how many workers died with it. done: whether its shard is there. unwanted: nobody waits for the holder's
    call any more, which has not got it, or another process has taken its place."""

    deaths: int
    done: bool = False
    unwanted: bool = False


class Copy(NamedTuple):
    """A late unit to be done. last: whether nobody else will be given it."""

    unit: Unit
    last: bool


class Claim(Enum):
    """Who may commit a unit: the asker, another worker, or not the asker any more, since it is done or given up."""

    MINE = "mine"
    ANOTHERS = "another's"
    DONE = "done"


class Ledger(Protocol):
    """The ledger, near or far."""

    def arrive(self, worker: str, life: str = "", node: str = "") -> None:
        """A worker starts, perhaps not for the first time. From now on, a process that it was before has no say: one of
        a node that was cut off may live on for a while, and what it said may come late. node: where it is now."""
        ...

    def begin(self, name: str, holder: Holder, alone: bool = False) -> Begun:
        """Notes who has it. One of what workers died of is not noted unless it is `alone`."""
        ...

    def claim(self, name: str, holder: Holder) -> Claim:
        """Asks to be the one that commits the unit."""
        ...

    def end(self, name: str, holder: Holder, record: Record | None = None) -> None:
        """The holder came to an end with it, and did not die. record: what the driver is to know of it. From who has no
        say any more, only that it was done counts."""
        ...

    def tell(self, record: Record) -> None:
        """What the driver is to know of something else than a unit."""
        ...

    def unfit(self, node: str, record: Record) -> None:
        """A node is not fit for workers, and new ones are to be elsewhere. record: what the driver is told, once."""
        ...

    def late(self, holder: Holder, idle: float) -> Copy | None:
        """A late unit, for a worker that has none, in a call that is wanted. It is given again to who asks
        again before it begins. idle: seconds that the holder has waited for it."""
        ...

    def unfinished(self) -> bool:
        """Whether the record of a unit is still due."""
        ...

    def lost(self, call: str) -> None:
        """A call has no answer, since its worker died. For who makes the calls, where a worker that dies never comes
        again under its name."""
        ...

    def given_back(self, call: str) -> None:
        """A call's worker came back from it, and is not at work for it any more."""
        ...

    def given_up(self, call: str) -> None:
        """Nobody waits for a call any more, or hears of its worker's death. What it commits already counts, and no more
        of it is begun or committed."""
        ...

    def without_record(self, names: Sequence[str]) -> list[str]:
        """Those of the units of which nothing is known yet, in their order."""
        ...


class _Attempt(NamedTuple):
    """Somebody has something since then. copy: whether the ledger gave it out. begun: if not, it still waits for its
    turn, and no worker dies of it."""

    since: float
    copy: bool
    begun: bool


class _NoneLate(NamedTuple):
    """Until then no unit is late, for who has waited no longer than that; within a second, nobody looks again."""

    until: float
    idle: float


class _Held(NamedTuple):
    since: float
    holder: Holder


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
        # Few, since only what is in hand is here; by unit, and by worker.
        self._attempts: dict[str, dict[Holder, _Attempt]] = {}
        self._in_hand: defaultdict[str, set[tuple[str, Holder]]] = defaultdict(set)
        self._lives: dict[str, str] = {}
        self._nodes: dict[str, str] = {}
        self._deaths: Counter[str] = Counter()
        self._claims: dict[str, _Held] = {}
        self._done: set[str] = set()
        self._recorded: set[str] = set()
        self._given_up: set[str] = set()
        self._copies: Counter[str] = Counter()
        self._none_late = _NoneLate(-math.inf, 0.0)
        self._seconds: deque[float] = deque(maxlen=LIKE)
        self._records: list[Record] = []
        self._unfit: set[str] = set()

    def arrive(self, worker: str, life: str = "", node: str = "") -> None:
        """As Ledger.arrive."""
        self._lives[worker] = life
        self._nodes[worker] = node
        self._bury(self._in_hand[worker])

    def nodes_lost(self, nodes: Collection[str]) -> None:
        """What workers on these nodes had in hand, they died with. They may not arrive again for long: where there is
        no room for them now."""
        for worker, node in self._nodes.items():
            if node in nodes:
                self._bury(self._in_hand[worker])

    def lost(self, call: str) -> None:
        """As Ledger.lost."""
        self._bury(self._in_hand_of(call))

    def given_back(self, call: str) -> None:
        """As Ledger.given_back."""
        self._take_back(self._in_hand_of(call))

    def given_up(self, call: str) -> None:
        """As Ledger.given_up."""
        self._given_up.add(call)
        lapsing = self._clock() - CLAIM_SECONDS + GIVEN_UP_SECONDS
        claims = {
            name: held._replace(since=min(held.since, lapsing))
            for name, held in self._claims.items()
            if held.holder.call == call
        }
        self._take_back(self._in_hand_of(call))
        self._claims |= claims

    def begin(self, name: str, holder: Holder, alone: bool = False) -> Begun:
        """As Ledger.begin."""
        deaths, unwanted = self._deaths[name], self._has_no_say(holder)
        if not unwanted and (alone or not deaths):
            attempt = self._attempts.get(name, {}).get(holder, _Attempt(self._clock(), copy=False, begun=True))
            self._note(name, holder, attempt._replace(begun=True))
        return Begun(deaths, name in self._done, unwanted)

    def claim(self, name: str, holder: Holder) -> Claim:
        """As Ledger.claim."""
        if name in self._done or self._has_no_say(holder):
            return Claim.DONE
        held = self._claims.get(name)
        if held and held.holder != holder and self._clock() - held.since <= CLAIM_SECONDS:
            return Claim.ANOTHERS
        self._claims[name] = _Held(self._clock(), holder)
        return Claim.MINE

    def end(self, name: str, holder: Holder, record: Record | None = None) -> None:
        """As Ledger.end."""
        attempt = self._let_go(name, holder)
        if record is None:
            return
        if name in self._done:
            if record.retries:  # of storage, which count whatever came of them
                self._records.append(record)
            return
        if record.outcome in (Outcome.FAILED, Outcome.ENDED) and self._has_no_say(holder):
            return  # by whoever it is sent to next, it may be done
        if record.outcome is Outcome.DONE:
            self._done.add(name)
            if attempt and name in self._unfinished:
                self._seconds.append(self._clock() - attempt.since)
        self._recorded.add(name)
        self._unfinished.pop(name, None)
        self._records.append(record)

    def _has_no_say(self, holder: Holder) -> bool:
        return holder.call in self._given_up or self._lives.get(holder.worker, holder.life) != holder.life

    def _in_hand_of(self, call: str) -> list[tuple[str, Holder]]:
        return [(name, holder) for held in self._in_hand.values() for name, holder in held if holder.call == call]

    def _bury(self, left: Iterable[tuple[str, Holder]]) -> None:
        """Whatever the dead had in hand, they died with it."""
        for name, attempt in self._take_back(left):
            self._deaths[name] += attempt.begun

    def _take_back(self, left: Iterable[tuple[str, Holder]]) -> list[tuple[str, _Attempt]]:
        """Forgets attempts and their claims, and gives them. Others may be asked for copies in place of theirs."""
        taken = [(name, attempt) for name, holder in list(left) if (attempt := self._let_go(name, holder))]
        for name, attempt in taken:
            self._copies[name] -= attempt.copy
        return taken

    def _note(self, name: str, holder: Holder, attempt: _Attempt) -> None:
        self._attempts.setdefault(name, {})[holder] = attempt
        self._in_hand[holder.worker].add((name, holder))

    def _let_go(self, name: str, holder: Holder) -> _Attempt | None:
        """Forgets an attempt, and its claim."""
        attempts = self._attempts.get(name, {})
        attempt = attempts.pop(holder, None)
        if not attempts:
            self._attempts.pop(name, None)
        self._in_hand[holder.worker].discard((name, holder))
        held = self._claims.get(name)
        if held and held.holder == holder:
            del self._claims[name]
        return attempt

    def tell(self, record: Record) -> None:
        """As Ledger.tell."""
        self._records.append(record)

    def unfit(self, node: str, record: Record) -> None:
        """As Ledger.unfit."""
        if node not in self._unfit:
            self._unfit.add(node)
            self._records.append(record)

    def take(self) -> list[Record]:
        """The records that the driver has not taken yet."""
        records, self._records = self._records, []
        return records

    def late(self, holder: Holder, idle: float) -> Copy | None:
        """As Ledger.late."""
        if self._has_no_say(holder):
            return None
        # If it was given one and the answer was lost, it has not got it.
        own = [(name, other) for name, other in self._in_hand[holder.worker] if other == holder]
        self._take_back((name, _) for name, _ in own if not self._attempts[name][holder].begun)
        if self._in_hand[holder.worker] or (self._clock() < self._none_late.until and idle <= self._none_late.idle):
            return None
        patience = max(self._late_seconds, LATE_FACTOR * statistics.median(self._seconds or [0.0]))
        # From the end: its own worker comes to the first ones next.
        for unit in reversed(self._unfinished.values()):
            if self._copies[unit.name] < MOST_COPIES and self._waited(unit.name, idle) > patience:
                self._copies[unit.name] += 1
                self._note(unit.name, holder, _Attempt(self._clock(), copy=True, begun=False))
                return Copy(unit, last=self._copies[unit.name] == MOST_COPIES)
        # Of hundreds with nothing to do, each asks every second, and all others wait for the ledger meanwhile.
        self._none_late = _NoneLate(self._clock() + LOOK_SECONDS, math.inf if idle > patience else patience)
        return None

    def _waited(self, name: str, idle: float) -> float:
        """Seconds that the unit has been with the last one who got it, or that the asker has waited beside it."""
        attempts = self._attempts.get(name)
        return self._clock() - max(attempt.since for attempt in attempts.values()) if attempts else idle

    def unfinished(self) -> bool:
        """As Ledger.unfinished."""
        return bool(self._unfinished)

    def without_record(self, names: Sequence[str]) -> list[str]:
        """As Ledger.without_record."""
        return [name for name in names if name not in self._recorded]
