"""A run as spans of time, each with who spent it on what: of its driver, and of each thread of its workers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from pipelines.job.phases import Phase, Spent, StartPhase
from pipelines.job.record import Record

DRIVER = "driver"

# Of a process as a whole: the threads in which a worker has units count from 1.
MAIN_LANE = 0


@dataclass(frozen=True)
class Span:
    """process: the driver, or a worker's host and process. lane: of its threads. start, stop: seconds since
    1970, by the clock of the process's machine. details: what else to show."""

    process: str
    lane: int
    name: str
    start: float
    stop: float
    details: Mapping[str, object] = field(default_factory=dict)


def spans_of(record: Record) -> Iterator[Span]:
    """What a worker's thread did before it gave a record, in order and without gaps, and before its first one the
    worker as a whole; phases that took no time are left out. Of a unit that failed, the last one is where it did."""
    details: dict[str, object] = {"unit": record.unit, "outcome": str(record.outcome)}
    if record.shard is not None:
        details |= {"rows": record.shard.rows, "tokens": record.shard.tokens}
    if record.loading is not None:
        yield from _one_after_the_other(record.worker, MAIN_LANE, StartPhase, record.loading, {})
    yield from _one_after_the_other(record.worker, record.lane, Phase, Spent(record.started, record.phases), details)


def _one_after_the_other(
    process: str, lane: int, phases: type[IntEnum], spent: Spent, details: Mapping[str, object]
) -> Iterator[Span]:
    start = spent.started
    for phase, seconds in zip(phases, spent.phases, strict=False):
        if seconds:
            yield Span(process, lane, phase.name.lower(), start, start + seconds, details)
        start += seconds


def encode_of(record: Record) -> tuple[float, float] | None:
    """From when to when the encoder had the unit of a record, in seconds since 1970; None where it did not come to
    that."""
    if not any(record.phases[Phase.ENCODE :]):
        return None
    start = record.started + sum(record.phases[: Phase.ENCODE])
    return start, start + record.phases[Phase.ENCODE]
