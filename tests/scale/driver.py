"""A driver of so many units over workers that are simulated, or of Ray Data alone over the same tasks; its own figures.

.venv/bin/python -m tests.scale.driver encorpus|ray UNITS FOLDER
"""

import json
import os
import resource
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import ray
import ray.data

from pipelines.job import pool
from pipelines.job.embed import run
from pipelines.job.history import History
from pipelines.job.job import Job
from pipelines.job.pool_size import PoolSize
from pipelines.job.prepare import Prepared, prepare
from pipelines.job.record import Record
from pipelines.job.session import ray_session
from pipelines.job.tasks import Task, tasks_for
from pipelines.job.work_order import work_order
from pipelines.output.remaining import Remaining
from tests.scale.simulated import COLUMNS, ROW_TOKENS, ManyWorkers, Nothing, sleeping, write_corpus, write_model
from tests.scale.watched import high_water

# Processes, and the calls that each has at a time: as many as of 16 workers of two.
PROCESSES, WORKERS_A_PROCESS = 12, 16
WORKERS = PROCESSES * WORKERS_A_PROCESS
UNIT_ROWS, FILE_UNITS = 1, 1000
UNIT_SECONDS = 0.5


@dataclass(frozen=True)
class Figures:
    """Of the driver's own process. *_cpu, *_wall: seconds. *_bytes: resident after the step; peak_bytes: the most."""

    what: str
    units: int
    tasks: int
    plan_cpu: float
    plan_wall: float
    plan_bytes: int
    work_cpu: float
    work_wall: float
    work_bytes: int
    finish_cpu: float
    finish_wall: float
    peak_bytes: int


def main() -> None:
    what, units, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    print(json.dumps(asdict(measured(what, units, folder, PROCESSES))))


def measured(what: str, units: int, folder: Path, processes: int) -> Figures:
    """Runs the job in a new folder, on simulated workers in so many processes."""
    corpus = write_corpus(folder / "corpus", units, UNIT_ROWS, FILE_UNITS)
    job = Job((str(corpus),), str(folder / "output"), write_model(folder / "model"), COLUMNS, UNIT_ROWS)
    with many_workers_a_process():
        marks = [_mark()]
        prepared = prepare(job)
        tasks = tasks_for(prepared.remaining, WORKERS)
        marks.append(_mark())
        with ray_session(None, cpus=processes):
            marks.append(_mark())
            if what == "ray":
                ray_alone(tasks, processes)
                marks.append(_mark())
            else:
                marks += _whole_job(prepared, tasks, processes)
            marks.append(_mark())
    _, planned, start, worked, ended = marks
    begun = marks[0]
    return Figures(
        what=what,
        units=units,
        tasks=len(tasks),
        plan_cpu=planned[1] - begun[1],
        plan_wall=planned[0] - begun[0],
        plan_bytes=planned[2],
        work_cpu=worked[1] - start[1],
        work_wall=worked[0] - start[0],
        work_bytes=worked[2],
        finish_cpu=ended[1] - worked[1],
        finish_wall=ended[0] - worked[0],
        peak_bytes=high_water(),
    )


def _whole_job(prepared: Prepared, tasks: list[Task], processes: int) -> list[tuple[float, float, int]]:
    """Runs it to its manifest and report; gives the mark at the end of the units."""
    marks: list[tuple[float, float, int]] = []

    def workforce(prepared: Prepared, work: Remaining, history: History) -> Generator[Record]:
        order = replace(work_order(prepared, threads=1), load=sleeping(UNIT_SECONDS / UNIT_ROWS / ROW_TOKENS))
        yield from pool.run_tasks(tasks, order, PoolSize(processes, processes, 1, 0))
        marks.append(_mark())

    summary = run(prepared, time.time(), lambda prepared: None, lambda snapshot: None, workforce=workforce)
    if summary.manifest is None or summary.manifest.units != len(prepared.remaining.units):
        sys.exit(f"the job failed: {summary.failures[:3]}")
    return marks


def ray_alone(tasks: list[Task], processes: int) -> None:
    """The same tasks through an empty map_batches."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    source = ray.data.read_datasource(pool.TaskSource(tasks), override_num_blocks=len(tasks), num_cpus=1)
    mapped = source.map_batches(
        Nothing,
        batch_size=None,
        batch_format="pyarrow",
        zero_copy_batch=True,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(
            size=processes,
            max_concurrent_calls_per_actor=pool.CALLS_AT_ONCE,
            max_tasks_in_flight_per_actor=pool.TASKS_IN_FLIGHT,
            enable_true_multi_threading=True,
        ),
    )
    for _ in mapped.iter_internal_ref_bundles():
        pass


@contextmanager
def many_workers_a_process() -> Iterator[None]:
    """The pool with workers that are simulated, and as many calls in flight at a process as to all that it holds."""
    before = pool.PoolWorker, pool.CALLS_AT_ONCE, pool.TASKS_IN_FLIGHT
    pool.PoolWorker = ManyWorkers
    pool.CALLS_AT_ONCE *= WORKERS_A_PROCESS
    pool.TASKS_IN_FLIGHT *= WORKERS_A_PROCESS
    try:
        yield
    finally:
        pool.PoolWorker, pool.CALLS_AT_ONCE, pool.TASKS_IN_FLIGHT = before


def _mark() -> tuple[float, float, int]:
    """Now, CPU seconds of this process, and its resident bytes."""
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return time.monotonic(), time.process_time(), resident


if __name__ == "__main__":
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    main()
