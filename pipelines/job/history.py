"""A run's records, folded as they come: totals, the shards made, and what the report needs in a bounded size."""

import heapq
import itertools
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from pipelines.job.idle import Encoder, with_unit
from pipelines.job.lengths import BINS, bin_width
from pipelines.job.progress import Snapshot, Totals
from pipelines.job.record import Outcome, Record
from pipelines.job.spans import DRIVER, MAIN_LANE, Span, encode_of, spans_of
from pipelines.job.timeline import Timeline
from pipelines.output.layout import unit_named
from pipelines.output.shard_info import ShardInfo
from pipelines.report.run_report import Lengths, OverTime, SlowUnit

SLOWEST = 10
REASONS = 20


class History:
    """Give it every record as it comes.

    A worker's clock may differ from this machine's: nothing that it tells is taken to be before the run or after now.
    """

    def __init__(
        self,
        totals: Totals,
        max_tokens: int,
        started: float,
        clock: Callable[[], float] = time.time,
        on_span: Callable[[Span], None] | None = None,
    ) -> None:
        """max_tokens: where texts are cut. started: when the run began, by the clock: seconds since 1970. on_span: told
        of every span of time that is known of the run, the driver's and the workers'."""
        self.totals = totals
        self._last = totals.snapshot()
        self.seconds_to_first_shard: float | None = None
        self.started = started
        # The least and the most workers of the pool; told when that is known.
        self.pool: tuple[int, int] = (1, 1)
        # What each unfit node said.
        self.unfit_nodes: list[str] = []
        self.bytes = 0
        self._clock = clock
        self._max_tokens = max_tokens
        self._on_span = on_span
        # By worker.
        self.encoders: dict[str, Encoder] = {}
        self._timeline = Timeline(series=6)
        self._workers: dict[str, int] = {}
        self._lengths = np.zeros(BINS, np.int64)
        self._truncated = 0
        self._slowest: list[tuple[float, int, SlowUnit]] = []
        self._order = itertools.count()
        # Of each shard made: its place in the corpus, and rows with the least, mean and largest norm.
        self._places = array("q")
        self._norms = array("d")
        self._rejected: dict[str, tuple[int, str]] = {}

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return max(self._clock() - self.started, 0.0)

    @property
    def empty(self) -> bool:
        """Whether no unit has come to an end yet, good or bad."""
        return not self.totals.done and not self.totals.failures

    def add(self, record: Record) -> None:
        """Folds the record of a unit that came to its end, each unit once, or of a node."""
        if record.outcome is Outcome.UNFIT:
            self.unfit_nodes.append(record.message)
            return
        self._note_spans(record)
        if not self.totals.add(record):
            return
        self._last = self.totals.snapshot()
        self._note_time(record)
        if record.shard is not None:
            self._note_shard(record, record.shard)

    def spent(self, what: str, since: float) -> None:
        """The driver did this from then on, in seconds since 1970, until now."""
        if self._on_span:
            self._on_span(Span(DRIVER, MAIN_LANE, what, since, self._clock()))

    def progress(self) -> Snapshot:
        """How far the run is now; its rates are those up to the last record, whatever took time since."""
        return replace(self._last, retries=self.totals.retries)

    def over_time(self) -> OverTime:
        """The run so far."""
        seconds = self.seconds
        amounts, workers = self._timeline.until(seconds)
        return OverTime(seconds, self._timeline.width, *amounts, workers=workers)

    def lengths(self) -> Lengths:
        """Rows by their tokens; without the empty bins at the end."""
        counts = np.trim_zeros(self._lengths, "b").tolist()
        return Lengths(bin_width(self._max_tokens), tuple(counts), self._truncated, self._max_tokens)

    def slowest(self) -> tuple[SlowUnit, ...]:
        """The slowest units, the slowest first."""
        return tuple(unit for _, _, unit in sorted(self._slowest, key=lambda item: (-item[0], item[1])))

    def norms(self) -> np.ndarray:
        """Of the shards made, in the order of the corpus: rows, and the least, mean and largest norm of their vectors;
        float64 [n, 4]."""
        places = np.array(self._places, np.int64).reshape(-1, 2)
        return np.array(self._norms, np.float64).reshape(-1, 4)[np.lexsort((places[:, 1], places[:, 0]))]

    def rejecting_units(self) -> Mapping[str, str]:
        """For the most frequent reasons, a unit that rejected many rows for it."""
        return {reason: unit for reason, (_, unit) in self._rejected.items()}

    def _note_spans(self, record: Record) -> None:
        if encode := encode_of(record):
            self.encoders[record.worker] = with_unit(self.encoders.get(record.worker), *encode)
        if self._on_span:
            for span in spans_of(record):
                self._on_span(span)

    def _note_time(self, record: Record) -> None:
        now = self.seconds
        stop = min(max(record.started + record.seconds - self.started, 0.0), now)
        start = max(stop - record.seconds, 0.0)
        rows, tokens = (record.shard.rows, record.shard.tokens) if record.shard else (0, 0)
        stats = record.stats
        worker = self._workers.setdefault(record.worker, len(self._workers))
        amounts = (rows, tokens, stats.tokens, stats.padded_tokens, stats.seconds, record.retries)
        self._timeline.add(start, stop, worker, amounts)

    def _note_shard(self, record: Record, shard: ShardInfo) -> None:
        if self.seconds_to_first_shard is None:
            self.seconds_to_first_shard = self.seconds
        self._places.extend(unit_named(record.unit) or (0, 0))
        self._norms.extend((shard.rows, shard.norm_min, shard.norm_mean, shard.norm_max))
        self.bytes += shard.bytes
        self._truncated += shard.truncated
        self._lengths[: len(record.lengths)] += np.array(record.lengths, np.int64)
        unit = SlowUnit(record.unit, shard.file, record.seconds, record.stats.seconds, shard.rows, shard.tokens)
        keep = heapq.heappush if len(self._slowest) < SLOWEST else heapq.heappushpop
        keep(self._slowest, (record.seconds, next(self._order), unit))
        for reason, rows in record.reasons.items():
            self._note_reason(reason, rows, record.unit)

    def _note_reason(self, reason: str, rows: int, unit: str) -> None:
        """Keeps the reasons that are most frequent in all units so far."""
        if reason not in self._rejected and len(self._rejected) == REASONS:
            least = min(self._rejected, key=self.totals.reasons.__getitem__)
            if self.totals.reasons[reason] <= self.totals.reasons[least]:
                return
            del self._rejected[least]
        if rows > self._rejected.get(reason, (0, ""))[0]:
            self._rejected[reason] = rows, unit
