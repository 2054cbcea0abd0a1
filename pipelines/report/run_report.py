"""What a report shows: one run of a job, as plain values. All but reasons and failures are of a bounded number."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pipelines.encoder.stats import EncodeStats


class End(StrEnum):
    """complete: nothing is missing. units failed: the rest is done. limited: there is more to do, but not in this run.
    stopped: by an error. interrupted: by the user."""

    COMPLETE = "complete"
    UNITS_FAILED = "units failed"
    LIMITED = "stopped at the limit"
    STOPPED = "stopped by an error"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Units:
    """before: committed when the run began. planned: of the whole output, None while nobody knows how many the streamed
    files have."""

    before: int
    done: int
    failed: int
    planned: int | None


@dataclass(frozen=True)
class OverTime:
    """A run cut into n bins of equal time, from its start to its end; the last bin may reach beyond the end.

    seconds: of the run. width: of a bin, in seconds. Each array is float64 [n] and adds up to the run's total: rows,
    tokens, distinct_tokens (those encoded), padded_tokens (positions encoded), encoding (seconds in the encoder),
    retries (of storage, by workers). workers: int64 [n], those that had a unit in hand in the bin.
    """

    seconds: float
    width: float
    rows: np.ndarray
    tokens: np.ndarray
    distinct_tokens: np.ndarray
    padded_tokens: np.ndarray
    encoding: np.ndarray
    retries: np.ndarray
    workers: np.ndarray

    @property
    def extents(self) -> np.ndarray:
        """The seconds of the run that each bin covers, float64 [n]."""
        starts = np.arange(len(self.rows)) * self.width
        return np.maximum(np.minimum(self.width, self.seconds - starts), 1e-9)


@dataclass(frozen=True)
class Lengths:
    """Rows by their tokens after truncation: counts[k] have k × width + 1 to (k + 1) × width tokens; documents
    that are pooled from chunks and have more than `most` are counted with those that have as many.

    truncated: rows that lost text. most: the tokens at which texts are cut.
    """

    width: int
    counts: tuple[int, ...]
    truncated: int
    most: int


@dataclass(frozen=True)
class Norms:
    """Vector norms over the shards in order, float64 [n] each: every entry is one shard, or a run of neighbours.

    shards: how many there are. whole: of the whole output, not of this run alone.
    """

    least: np.ndarray
    mean: np.ndarray
    most: np.ndarray
    shards: int
    whole: bool


@dataclass(frozen=True)
class SlowUnit:
    """seconds: from beginning to read it to its commit, with waiting for the encoder. encoding: in the encoder."""

    unit: str
    file: str
    seconds: float
    encoding: float
    rows: int
    tokens: int


@dataclass(frozen=True)
class WorkerEncoder:
    """The encoder of a worker, named by its host and process. units: how many it had. seconds: from the first of them
    to the last; idle: seconds of these in which it had none."""

    worker: str
    units: int
    seconds: float
    idle: float


@dataclass(frozen=True)
class FailedUnit:
    """unit: its name, or what was being read. outcome: failed or set aside."""

    unit: str
    outcome: str
    message: str


@dataclass(frozen=True)
class RejectExample:
    """A row of a rejects file; row is None where the reason is about the whole file."""

    file: str
    row: int | None
    row_id: str | None
    text: str | None


@dataclass(frozen=True)
class Whole:
    """What the output holds in all, with what earlier runs made, and how much of the input they rejected."""

    units: int
    rows: int
    documents: int
    rejects: int
    bytes: int


@dataclass(frozen=True)
class RunReport:
    """A run. Counts are of this run alone, but for `units` and `whole`, which is None while units are missing.

    spec: what decides the vectors, as in job.json. command: as it was typed, None when Python ran the job.
    storage_options: their names. started: seconds since 1970. message: of the error that stopped it. files_failed:
    streamed ones that could not be read on. workers: as many as the pool has at least, or more where more had a unit in
    hand at a time. documents: of the input, which the rows or chunks in `rows` are of. retries: of storage, by workers
    and driver. rows_per_second, tokens_per_second: since the first records, 0 where none came after. reasons: rejects
    by reason, as far as workers told them. encoders: the most idle first. failures, reasons: any number, as where each
    file is broken in its own way; the page shows some.
    """

    output: str
    spec: Mapping[str, object]
    fingerprint: str
    encorpus_version: str
    command: str | None
    storage_options: tuple[str, ...]
    started: float
    seconds: float
    seconds_to_first_shard: float | None
    end: End
    message: str
    units: Units
    files_failed: int
    workers: int
    rows: int
    documents: int
    rejects: int
    tokens: int
    bytes: int
    retries: int
    rows_per_second: float
    tokens_per_second: float
    stats: EncodeStats
    over_time: OverTime
    lengths: Lengths
    norms: Norms
    reasons: Mapping[str, int]
    examples: Mapping[str, tuple[RejectExample, ...]]
    slowest: tuple[SlowUnit, ...]
    encoders: tuple[WorkerEncoder, ...]
    failures: tuple[FailedUnit, ...]
    whole: Whole | None

    @property
    def rejects_left(self) -> int:
        """Those of the whole output where it is complete, else those of this run."""
        return self.rejects if self.whole is None else self.whole.rejects

    @property
    def worker_seconds(self) -> float:
        """What the run cost: all its workers, from its start to its end."""
        return self.workers * self.seconds
