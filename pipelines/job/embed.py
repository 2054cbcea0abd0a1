"""Runs a job: prepare, have done what is missing, finish with the manifest."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

from pipelines.encoder.stats import EncodeStats
from pipelines.errors import EncorpusError, UsageError
from pipelines.job.cores import usable_cores
from pipelines.job.finish import finish
from pipelines.job.history import History
from pipelines.job.idle import idle_share
from pipelines.job.job import Job
from pipelines.job.limit import first_part
from pipelines.job.pool_size import no_larger_than, pool_size
from pipelines.job.prepare import Prepared, prepare
from pipelines.job.progress import Snapshot, Totals
from pipelines.job.record import Outcome, Record
from pipelines.job.report import write_last_words, write_report
from pipelines.job.spans import Span
from pipelines.job.tasks import tasks_for
from pipelines.output.manifest import Manifest
from pipelines.output.remaining import Remaining

__all__ = ["Job", "Summary", "embed"]


@dataclass(frozen=True)
class Summary:
    """What a run of a job came to.

    manifest: the totals of the whole output; None while units are missing. reasons: rejects of this run by reason, as
    far as workers told them; `progress` counts them all. failures: what could not be made. stats, progress: of this
    run. seconds, seconds_to_first_shard: from the start of the run to its end and to its first shard, None when it
    wrote none. limited: whether the run stopped at its limit.
    report: where the run's report is, None when it made nothing. report_error: why the report could not be written.
    unfit_nodes: a line of each node that could not have the model, and was given no work. encoders_idle: the share of
    the time from each encoder's first unit to its last in which it had none, None where no time was between them.
    """

    output: str
    fingerprint: str
    manifest: Manifest | None
    reasons: Mapping[str, int]
    failures: tuple[Record, ...]
    stats: EncodeStats
    progress: Snapshot
    seconds: float
    seconds_to_first_shard: float | None
    limited: bool
    report: str | None
    report_error: str | None
    unfit_nodes: tuple[str, ...] = ()
    encoders_idle: float | None = None


# Does what is given of a prepared job, notes the number of workers, and gives the records as they come. Closed before
# its end, it stops the work.
Workforce = Callable[[Prepared, Remaining, History], Generator[Record]]


def pool(prepared: Prepared, work: Remaining, history: History) -> Generator[Record]:
    """The workforce of a job that says nothing else: a pool of its own, on its cluster or on this machine."""
    # Ray takes seconds to import, and a job that is done already needs none.
    since = time.time()
    from pipelines.job.pool import run_tasks
    from pipelines.job.session import nodes_with, ray_session
    from pipelines.job.work_order import work_order

    history.spent("import Ray", since)
    job, since = prepared.job, time.time()
    with ray_session(job.address, cpus=max(usable_cores(), (job.workers or (0, 0))[1]), watched=False):
        history.spent("start Ray", since)
        nodes = nodes_with("CPU"), nodes_with("GPU")
        # A cluster may start nodes with GPUs only when workers ask for them.
        asked = pool_size(job.workers, job.gpus_per_worker, *nodes, nodes_may_come=bool(job.address))
        tasks = tasks_for(work, asked.most)
        order = work_order(prepared, None if asked.gpus_per_worker else asked.cpus_per_worker)
        size = no_larger_than(asked, len(tasks))
        history.pool = size.least, size.most
        since = time.time()
        yield from run_tasks(tasks, order, size)
        history.spent("work", since)
        since = time.time()
    history.spent("stop Ray", since)


def embed(
    job: Job,
    on_plan: Callable[[Prepared], None] = lambda prepared: None,
    on_progress: Callable[[Snapshot], None] = lambda snapshot: None,
    command: str | None = None,
    workforce: Workforce = pool,
    on_span: Callable[[Span], None] | None = None,
) -> Summary:
    """Embeds what the output lacks of the corpus. Run again after any interruption, it does what is still missing.

    on_plan: called once, before the work. on_progress: called after each unit. command: what the report should call
    this run. workforce: who does the work. on_span: called with what driver and workers spent time on, as it becomes
    known. Raises EncorpusError when the job cannot start or go on; a unit that fails alone is in the summary instead.
    """
    started = time.time()
    return run(prepare(job), started, on_plan, on_progress, command, workforce, on_span)


def run(
    prepared: Prepared,
    started: float,
    on_plan: Callable[[Prepared], None],
    on_progress: Callable[[Snapshot], None],
    command: str | None = None,
    workforce: Workforce = pool,
    on_span: Callable[[Span], None] | None = None,
) -> Summary:
    """Does the work of a job that is prepared, as `embed` says. started: when it began, in seconds since 1970."""
    on_plan(prepared)
    limit = prepared.job.limit
    work = prepared.remaining if limit is None else first_part(prepared.remaining, prepared.plan, limit)
    limited = work != prepared.remaining
    totals = Totals(prepared.committed, prepared.remaining.planned)
    history = History(totals, prepared.resolved.max_tokens, started, on_span=on_span)
    history.spent("prepare", started)
    retries = prepared.job.storage.retries
    try:
        with closing(_records(prepared, work, history, workforce)) as records:
            for record in records:
                _require_going_on(record)
                history.add(record)
                totals.retries += retries.take()
                on_progress(totals.snapshot())
                if limit is not None and work.streams and totals.rows >= limit:
                    limited = True
                    break
        since = time.time()
        manifest = None if totals.failures or limited else finish(prepared)
        history.spent("finish", since)
        totals.retries += retries.take()
    except BaseException as error:
        if not history.empty:
            write_last_words(prepared, history, command, error)
        raise
    since = time.time()
    report_error = None if history.empty else write_report(prepared, history, command, manifest)
    history.spent("report", since)
    return Summary(
        output=prepared.job.output,
        fingerprint=prepared.resolved.fingerprint,
        manifest=manifest,
        reasons=dict(totals.reasons),
        failures=tuple(totals.failures.values()),
        stats=totals.stats,
        progress=history.progress(),
        seconds=history.seconds,
        seconds_to_first_shard=history.seconds_to_first_shard,
        limited=limited,
        report=None if history.empty or report_error else prepared.output.report_uri,
        report_error=report_error,
        unfit_nodes=tuple(history.unfit_nodes),
        encoders_idle=idle_share(history.encoders.values()),
    )


def _require_going_on(record: Record) -> None:
    """Raises what a record says that ends the whole job."""
    if record.outcome is Outcome.REFUSED:
        raise UsageError(record.message)
    if record.outcome is Outcome.FATAL:
        raise EncorpusError(record.message)


def _records(prepared: Prepared, work: Remaining, history: History, workforce: Workforce) -> Generator[Record]:
    """The records of what is to be done, where there is any: for nothing, no workforce is needed."""
    if not work.nothing:
        yield from workforce(prepared, work, history)
