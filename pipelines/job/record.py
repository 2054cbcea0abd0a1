"""What a worker reports of a unit: one small record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipelines.encoder.stats import EncodeStats
from pipelines.job.phases import Spent
from pipelines.output.shard_info import ShardInfo


class Outcome(StrEnum):
    """done: its shard is committed. failed: this unit could not be made, the others can. set_aside: it killed its
    worker too often. fatal: the job cannot go on, whatever the unit. refused: nor could it ever as it was asked for.
    ended: no unit, but a stripe of a streamed file has no more of them. unfit: no unit, but a node that cannot have the
    model or the plan; others go on. stuck: no unit, but tasks wait at a worker that was restarted on such a node."""

    DONE = "done"
    FAILED = "failed"
    SET_ASIDE = "set aside"
    FATAL = "fatal"
    REFUSED = "refused"
    ENDED = "ended"
    UNFIT = "unfit"
    STUCK = "stuck"


@dataclass(frozen=True)
class Record:
    """unit: its name; what was being read where no unit was reached; the id of a node; empty for a worker that could
    not load. shard: what the footer says, when done. reasons: rejects by reason. retries: of storage, by this unit's
    worker since its last record. lengths: rows by their tokens, as `length_counts` gives them. worker: host and
    process. lane: of its threads, from 1. started: seconds since 1970, by the worker's clock; seconds: from then to the
    unit's end; phases: what they were spent on, as `Phase` has them. loading: what the worker's own start was spent on,
    as `StartPhase` has it, in the first record of a worker."""

    unit: str
    outcome: Outcome
    message: str = ""
    shard: ShardInfo | None = None
    stats: EncodeStats = EncodeStats()
    reasons: Mapping[str, int] = field(default_factory=dict)
    retries: int = 0
    lengths: tuple[int, ...] = ()
    worker: str = ""
    lane: int = 0
    started: float = 0.0
    seconds: float = 0.0
    phases: tuple[float, ...] = ()
    loading: Spent | None = None
