"""Runs a job: prepare, run what is missing through the pool, finish with the manifest."""

import math
import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

from pipelines.encoder.stats import EncodeStats
from pipelines.errors import EncorpusError, UsageError
from pipelines.job.prepare import Job, Prepared, prepare
from pipelines.job.progress import Snapshot, Totals
from pipelines.job.record import Outcome, Record
from pipelines.job.tasks import Task
from pipelines.output.manifest import Manifest, write_manifest
from pipelines.output.remaining import Remaining
from pipelines.output.shard_info import ShardInfo

__all__ = ["Job", "Summary", "embed"]


@dataclass(frozen=True)
class Summary:
    """What a run of a job came to.

    manifest: the totals of the whole output; None while units are missing. reasons: rejects of this run by reason.
    failures: the units that could not be made. stats, progress: of this run. seconds_to_first_shard: from the
    start of the run, None when it wrote none.
    """

    output: str
    fingerprint: str
    manifest: Manifest | None
    reasons: Mapping[str, int]
    failures: tuple[Record, ...]
    stats: EncodeStats
    progress: Snapshot
    seconds_to_first_shard: float | None


def embed(
    job: Job,
    on_plan: Callable[[Prepared], None] = lambda prepared: None,
    on_progress: Callable[[Snapshot], None] = lambda snapshot: None,
) -> Summary:
    """Embeds what the output lacks of the corpus. Run again after any interruption, it does what is still missing.

    on_plan: called once, before the work. on_progress: called after each unit. Raises EncorpusError when the job
    cannot start or go on; a unit that fails alone is in the summary instead.
    """
    started = time.monotonic()
    prepared = prepare(job)
    on_plan(prepared)
    totals = Totals(prepared.committed, prepared.remaining.planned)
    shards: dict[str, ShardInfo] = {}
    first_shard: float | None = None
    with closing(_records(prepared)) as records:
        for record in records:
            if record.outcome is Outcome.FATAL:
                raise EncorpusError(record.message)
            totals.add(record)
            if record.shard is not None:
                shards[record.unit] = record.shard
                first_shard = first_shard or time.monotonic() - started
            on_progress(totals.snapshot())
    manifest = None if totals.failures else write_manifest(prepared.output, shards)
    return Summary(
        output=job.output,
        fingerprint=prepared.resolved.fingerprint,
        manifest=manifest,
        reasons=dict(totals.reasons),
        failures=tuple(totals.failures),
        stats=totals.stats,
        progress=totals.snapshot(),
        seconds_to_first_shard=first_shard,
    )


def tasks_for(remaining: Remaining, workers: int) -> list[Task]:
    """The tasks that make what is missing. Streams come first: each is long, and nobody knows how long.

    Where there are fewer streams than workers, several workers share one, each encoding its stripe of the slices.
    """
    stripes = max(1, math.ceil(workers / len(remaining.streams))) if remaining.streams else 1
    streamed = [
        Task(file.number, stripe=stripe, stripes=stripes, done=done)
        for file, done in remaining.streams
        for stripe in range(stripes)
    ]
    return [*streamed, *(Task(unit.file, unit.slice) for unit in remaining.units)]


def _records(prepared: Prepared) -> Generator[Record]:
    """The records of everything that is missing; starts Ray only when something is."""
    if prepared.remaining.nothing:
        return
    # Ray takes seconds to import, and a job that is done already needs none.
    from pipelines.job.pool import PoolSize, configure_ray_data, run_tasks
    from pipelines.job.session import cluster_total, ray_session
    from pipelines.job.worker import WorkOrder

    job = prepared.job
    cores = os.cpu_count() or 1
    with ray_session(job.address, cpus=max(cores, (job.workers or (0, 0))[1])):
        configure_ray_data()
        kind, each = ("GPU", job.gpus_per_worker) if job.gpus_per_worker else ("CPU", 1)
        least, most = job.workers or (max(1, int(cluster_total(kind) / each)),) * 2
        if job.gpus_per_worker and cluster_total("GPU") < job.gpus_per_worker:
            raise UsageError(f"--gpus-per-worker {job.gpus_per_worker:g}: Ray sees {cluster_total('GPU'):g} GPUs")
        tasks = tasks_for(prepared.remaining, most)
        least, most = min(least, len(tasks)), min(most, len(tasks))
        threads = None if job.gpus_per_worker else max(1, cores // most)
        order = WorkOrder(
            encoder=job.encoder,
            fingerprint=prepared.resolved.fingerprint,
            columns=job.columns,
            output=job.output,
            storage=job.storage,
            on_bad_row=job.on_bad_row,
            threads=threads,
        )
        yield from run_tasks(
            tasks, order, PoolSize(least, most, cpus_per_worker=1, gpus_per_worker=job.gpus_per_worker)
        )
