"""Throughput of 1, 4 and 16 hosts' worth of workers, four a host, whose encoders sleep: real units, real shards.

    .venv/bin/python -m tests.scale.hosts [HOSTS...]

A rate is that of the time in which every worker has begun and none has run out of units; what the end costs is told
apart.
"""

import os
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.job.embed import run
from pipelines.job.history import History
from pipelines.job.job import Job
from pipelines.job.pool import run_tasks
from pipelines.job.pool_size import PoolSize
from pipelines.job.prepare import Prepared, prepare
from pipelines.job.record import Record
from pipelines.job.session import ray_session
from pipelines.job.tasks import tasks_for
from pipelines.job.work_order import work_order
from pipelines.output.remaining import Remaining
from tests.scale.driver_costs import rows
from tests.scale.simulated import COLUMNS, ROW_TOKENS, sleeping, write_corpus, write_model

HOSTS = (1, 4, 16)
WORKERS_A_HOST = 4
UNITS_A_WORKER = 40
UNIT_ROWS = 100
UNIT_SECONDS = 2.0


@dataclass(frozen=True)
class Throughput:
    """seconds: while all workers had units; units_per_second: then. busy: how much of that time their encoders slept,
    0 to 1. end_seconds: from the first worker without units to the end of the last one."""

    workers: int
    units: int
    seconds: float
    units_per_second: float
    busy: float
    end_seconds: float


def main() -> None:
    hosts = [int(word) for word in sys.argv[1:]] or HOSTS
    names = ("hosts", "workers", "units", "over", "rows/s", "of linear", "encoders busy", "the end takes")
    for line in rows(names, _lines(hosts)):
        print(line, flush=True)


def _lines(hosts: list[int] | tuple[int, ...]) -> Iterator[tuple[str, ...]]:
    each: float | None = None
    for number in hosts:
        with tempfile.TemporaryDirectory(prefix="hosts-") as folder:
            seen = throughput(Path(folder), number * WORKERS_A_HOST, UNITS_A_WORKER, UNIT_SECONDS)
        each = each or seen.units_per_second / number
        yield (
            f"{number}",
            f"{seen.workers}",
            f"{seen.units:,}",
            f"{seen.seconds:.0f} s",
            f"{seen.units_per_second * UNIT_ROWS:,.0f}",
            f"{seen.units_per_second / number / each:.3f}",
            f"{seen.busy:.3f}",
            f"{seen.end_seconds:.1f} s",
        )


def throughput(folder: Path, workers: int, units_a_worker: int, unit_seconds: float) -> Throughput:
    """Runs a job of so many workers, each a process of its own, to its manifest."""
    units = workers * units_a_worker
    corpus = write_corpus(folder / "corpus", units, UNIT_ROWS, file_units=100)
    job = Job((str(corpus),), str(folder / "output"), write_model(folder / "model"), COLUMNS, UNIT_ROWS)
    records: list[Record] = []

    def workforce(prepared: Prepared, work: Remaining, history: History) -> Generator[Record]:
        load = sleeping(unit_seconds / UNIT_ROWS / ROW_TOKENS)
        with ray_session(None, cpus=workers):
            order = replace(work_order(prepared, threads=1), load=load)
            for record in run_tasks(tasks_for(work, workers), order, PoolSize(workers, workers, 1, 0)):
                records.append(record)
                yield record

    summary = run(prepare(job), time.time(), lambda prepared: None, lambda snapshot: None, workforce=workforce)
    if summary.manifest is None or summary.manifest.units != units:
        sys.exit(f"the job failed: {summary.failures[:3]}")
    return _seen(records, workers)


def _seen(records: list[Record], workers: int) -> Throughput:
    ends: dict[str, list[float]] = {}
    for record in records:
        ends.setdefault(record.worker, []).append(record.started + record.seconds)
    if len(ends) < workers:
        sys.exit(f"only {len(ends)} of {workers} workers ever had a unit")
    begun, idle = max(min(times) for times in ends.values()), min(max(times) for times in ends.values())
    within = [record for record in records if begun < record.started + record.seconds <= idle]
    seconds = max(idle - begun, 1e-9)
    return Throughput(
        workers=workers,
        units=len(records),
        seconds=seconds,
        units_per_second=len(within) / seconds,
        busy=sum(record.stats.seconds for record in within) / seconds / workers,
        end_seconds=max(max(times) for times in ends.values()) - idle,
    )


if __name__ == "__main__":
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    main()
