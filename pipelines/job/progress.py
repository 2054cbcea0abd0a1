"""Totals of a running job, added up from records, and what they say about its rate and its end."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.encoder.stats import EncodeStats
from pipelines.job.record import Outcome, Record
from pipelines.output.layout import unit_named

# Records come several at a time, once a second, and first those of all workers; as long they tell of no rate.
TOGETHER_SECONDS = 2.5


@dataclass(frozen=True)
class Snapshot:
    """How far a job is. `rows` and what follows count this run only; the units count the output as a whole.

    files_failed: streamed ones that could not be read on; nobody knows how many units that leaves undone.
    documents: of the input, which the rows or chunks in `rows` are of. retries: of storage, by workers and driver.
    rows_per_second, tokens_per_second: since the first records, so that loading does not count; 0 before.
    seconds_left: None while it cannot be known, as with streamed files whose length nobody knows yet.
    """

    units_done: int
    units_planned: int | None
    units_failed: int
    rows: int
    rejects: int
    rows_per_second: float
    tokens_per_second: float
    seconds_left: float | None
    retries: int = 0
    documents: int = 0
    files_failed: int = 0


@dataclass
class Totals:
    """Sums over the records of this run. Give it every record as it comes.

    committed: units that were there before. planned: all units of the plan, None while a streamed file's are unknown.
    failures: the records of units that failed, and of files that could not be read on, by their names.
    """

    committed: int
    planned: int | None
    clock: Callable[[], float] = time.monotonic
    stats: EncodeStats = EncodeStats()
    done: int = 0
    rows: int = 0
    documents: int = 0
    tokens: int = 0
    rejects: int = 0
    retries: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._done: set[str] = set()
        self._unread: set[str] = set()
        self._first_seconds: float | None = None
        self._since: tuple[float, int, int, int] | None = None

    def add(self, record: Record) -> bool:
        """Counts one record, unless its unit is done. Of a unit that two workers did, the first one counts, and success
        before failure. Tells whether the record counts."""
        self.retries += record.retries
        if record.unit in self._done:
            return False
        if record.outcome is not Outcome.DONE or record.shard is None:
            self.failures[record.unit] = record
            if unit_named(record.unit) is None:
                self._unread.add(record.unit)
            return True
        self._done.add(record.unit)
        self.failures.pop(record.unit, None)
        self.done += 1
        self.rows += record.shard.rows
        self.documents += record.shard.documents
        self.tokens += record.shard.tokens
        self.rejects += record.shard.rejects
        self.stats += record.stats
        self.reasons.update(record.reasons)
        now = self.clock()
        if self._first_seconds is None:
            self._first_seconds = now
        if now - self._first_seconds < TOGETHER_SECONDS:
            self._since = (now, self.done, self.rows, self.tokens)
        return True

    @property
    def units_failed(self) -> int:
        """How many of the failures are units'."""
        return len(self.failures) - self.files_failed

    @property
    def files_failed(self) -> int:
        """How many of the failures are files'."""
        return len(self._unread)

    def snapshot(self) -> Snapshot:
        """Where the job is now."""
        units, rows, tokens = self._rates(self.clock())
        left = None
        if self.planned is not None and units:
            left = (self.planned - self.committed - self.done - self.units_failed) / units
        return Snapshot(
            units_done=self.committed + self.done,
            units_planned=self.planned,
            units_failed=self.units_failed,
            rows=self.rows,
            rejects=self.rejects,
            rows_per_second=rows,
            tokens_per_second=tokens,
            seconds_left=left,
            retries=self.retries,
            documents=self.documents,
            files_failed=self.files_failed,
        )

    def _rates(self, now: float) -> tuple[float, float, float]:
        """Units, rows and tokens a second since the last one of the first records, of what came after these."""
        if self._since is None or self.done == self._since[1]:
            return 0.0, 0.0, 0.0
        then, units, rows, tokens = self._since
        seconds = max(now - then, 1e-9)
        return (self.done - units) / seconds, (self.rows - rows) / seconds, (self.tokens - tokens) / seconds
