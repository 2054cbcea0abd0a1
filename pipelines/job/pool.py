"""Tasks go through a Ray Data pool of workers."""

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset, Datasource, ReadTask
from ray.data._internal.execution.execution_callback import ExecutionCallback
from ray.data._internal.execution.streaming_executor import StreamingExecutor
from ray.data.block import BlockMetadata

from pipelines.errors import EncorpusError
from pipelines.job.follow import follow
from pipelines.job.head import ended_with_block
from pipelines.job.ledger import LATE_SECONDS
from pipelines.job.pool_size import PoolSize, no_larger_than
from pipelines.job.pool_worker import PoolWorker
from pipelines.job.record import Outcome, Record
from pipelines.job.remote_ledger import RemoteLedger
from pipelines.job.tasks import TASK_SCHEMA, Task, left_of, task_table
from pipelines.job.work_order import WorkOrder

log = logging.getLogger(__name__)

# One task is encoded while another is read or written; two more wait at the worker, so that it is never idle.
CALLS_AT_ONCE = 2
TASKS_IN_FLIGHT = 4

# How long Ray Data's executor may need for the step at hand.
STOP_SECONDS = 60.0
STOP_POLL_SECONDS = 1.0

# A worker may die while it loads (a full machine, a lost node) without the job being at fault.
MOST_DEATHS_WHILE_LOADING = 3

# Ray's label of a node, with its id.
NODE_LABEL = "ray.io/node-id"


def _none_of(nodes: Collection[str]) -> dict[str, str]:
    """Ray's selector of all nodes but these."""
    return {NODE_LABEL: f"!in({','.join(sorted(nodes))})"}


class TaskSource(Datasource):
    """A Datasource of tasks, one read task each, so that a task stays one block and one call."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        self._tasks = tasks

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all the tasks' descriptions."""
        return len(self._tasks) * 64

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None
    ) -> list[ReadTask]:
        """One read task a task, whatever the parallelism asked for."""
        return [_read_task(task) for task in self._tasks]


class _FreesItsWorkers(StreamingExecutor):
    """An executor that ends its workers when it fails by itself, and not only when it is told to.

    Otherwise it leaves them to whoever holds them last, which is the error that it fails with: they would keep their
    CPUs from the next job.
    """

    def shutdown(self, force: bool, exception: Exception | None = None) -> None:
        super().shutdown(force or exception is not None, exception)


class _Executor:
    """Ray Data's executor in the driver, as soon as it runs. Its context, which knows of this, goes to the workers too,
    where nothing runs."""

    def __init__(self) -> None:
        self._running: Any = None
        self._stopped = False

    def __reduce__(self) -> tuple[type["_Executor"], tuple[()]]:
        return _Executor, ()

    def begin(self, running: Any) -> None:
        """Raises RuntimeError if it is not to run any more."""
        if self._stopped:
            raise RuntimeError("stopped before it began")
        self._running = running
        running.__class__ = _FreesItsWorkers

    def keep_off(self, nodes: Collection[str]) -> None:
        """Places whatever workers it starts from now on elsewhere. nodes: their ids."""
        # Arguments by a function of ours (`ray_remote_args_fn`) would keep reading from being fused into the worker.
        for operator in self._running._topology:
            operator.data_context.execution_options.label_selector = _none_of(nodes)

    def stop(self) -> None:
        """Ends what runs, and with it the workers, stuck ones too."""
        self._stopped = True
        if self._running is not None:
            self._running.shutdown(force=True)


def run_tasks(
    tasks: Sequence[Task], order: WorkOrder, size: PoolSize, late_seconds: float = LATE_SECONDS
) -> Iterator[Record]:
    """Has a pool do the tasks, and gives the records of units, and of unfit nodes.

    Where Ray restarts a worker, it knows nothing of unfit nodes. When tasks wait at a worker on one, a new pool, which
    is kept off them in restarts too, does what is left. Raises EncorpusError as `follow` does, and when no node is fit.
    """
    unfit: set[str] = set()
    while tasks:
        ended: set[str] = set()
        executor = _Executor()
        start = partial(_pool, tasks, order, no_larger_than(size, len(tasks)), frozenset(unfit), executor)
        with closing(follow(tasks, order.replaced, start, late_seconds)) as records:
            for record in records:
                if record.outcome in (Outcome.UNFIT, Outcome.STUCK):
                    unfit.add(record.unit)
                    require_a_fit_node(ray.nodes(), unfit, size, record)
                    executor.keep_off(unfit)
                if record.outcome is Outcome.STUCK:
                    break
                ended.add(record.unit)
                if record.outcome is not Outcome.ENDED:
                    yield record
            else:
                return
        tasks = left_of(tasks, ended)


@contextmanager
def _pool(
    tasks: Sequence[Task],
    order: WorkOrder,
    size: PoolSize,
    unfit: Collection[str],
    executor: _Executor,
    ledger: Any,
    late: bool,
) -> Iterator[Future[None]]:
    """A pool at work, for `follow`."""
    # No more than the pool has at least: these never end before the others, and would have it grow.
    idle = CALLS_AT_ONCE * size.least if late and size.most > 1 else 0
    dataset = _dataset(tasks, idle, order, size, ledger, _context(executor, size, unfit))
    with _running(dataset, executor) as end:
        yield end


def _dataset(
    tasks: Sequence[Task], idle: int, order: WorkOrder, size: PoolSize, ledger: Any, context: DataContext
) -> Dataset:
    """The tasks, mapped over by workers. idle: how many tasks without a file come after them."""
    sent = [*tasks, *[Task(file=None)] * idle]
    # Reading is fused into the worker only where both ask for the same; apart, it would wait for CPUs of its own.
    resources = {"num_cpus": size.cpus_per_worker, "num_gpus": size.gpus_per_worker}
    with DataContext.current(context):
        return ray.data.read_datasource(TaskSource(sent), override_num_blocks=len(sent), **resources).map_batches(
            PoolWorker,
            fn_constructor_args=(order, RemoteLedger(ledger)),
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            **resources,
            compute=ActorPoolStrategy(
                min_size=size.least,
                max_size=size.most,
                max_concurrent_calls_per_actor=CALLS_AT_ONCE,
                max_tasks_in_flight_per_actor=tasks_in_flight(tasks, size),
                enable_true_multi_threading=True,
            ),
        )


def tasks_in_flight(tasks: Sequence[Task], size: PoolSize) -> int:
    """How many tasks a worker is sent at once.

    Where there are few, as when workers share one stream, no more than its share: whichever worker starts first would
    be sent them all. Where there are stripes, which are long, and wait for a worker that leaves its node, none that it
    does not begin. A pool that may grow does so only while queues are full.
    """
    if size.least < size.most:
        return TASKS_IN_FLIGHT
    most = TASKS_IN_FLIGHT if all(task.slices for task in tasks) else CALLS_AT_ONCE
    return min(most, math.ceil(len(tasks) / size.most))


def require_a_fit_node(
    nodes: Sequence[Mapping[str, Any]], unfit: Collection[str], size: PoolSize, last: Record
) -> None:
    """Raises EncorpusError, with what the last one said, where no node but unfit ones is large enough for a worker.

    nodes: as `ray.nodes` tells of them.
    """
    each = {"CPU": size.cpus_per_worker, "GPU": size.gpus_per_worker}
    for node in nodes:
        large = all(node["Resources"].get(kind, 0) >= amount for kind, amount in each.items())
        if node["Alive"] and large and node["NodeID"] not in unfit:
            return
    raise EncorpusError(f"no node is fit for the job; {last.message}")


def _context(executor: _Executor, size: PoolSize, unfit: Collection[str]) -> DataContext:
    """Ray Data for tasks that are tiny on the outside and long on the inside; the caller's own is left as it is."""
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.custom_execution_callback_classes = [_told_of(executor)]
    # All workers of an unfit node end together, and some that were begun there meanwhile.
    context.max_consecutive_actor_init_deaths = MOST_DEATHS_WHILE_LOADING + 2 * size.most
    # A large unit on a small machine may take longer than any fixed time.
    context.execution_no_progress_timeout_s = -1
    if unfit:
        context.execution_options.label_selector = _none_of(unfit)
    return context


@contextmanager
def _running(dataset: Dataset, executor: _Executor) -> Iterator[Future[None]]:
    """Runs the tasks in a thread, and gives the future of their end.

    At the end, which may come before that of the tasks, none of Ray Data's threads is left: one that meets a Ray that
    is shut down ends the whole process.
    """
    end: Future[None] = Future()

    def run() -> None:
        try:
            # Blocks themselves are not fetched, as `iter_batches` would, in threads that outlive it.
            for _ in dataset.iter_internal_ref_bundles():
                pass
            end.set_result(None)
        except Exception as error:
            end.set_exception(error)

    thread = threading.Thread(target=run, name="pool", daemon=True)
    thread.start()
    with ended_with_block(lambda: stop_thread(thread, executor.stop)):
        yield end


def stop_thread(thread: threading.Thread, stop: Callable[[], None]) -> None:
    """Ends a thread, whatever else goes wrong meanwhile. Asks more than once: Ray Data's executor overhears it while it
    is about to start."""
    until = time.monotonic() + STOP_SECONDS
    while True:
        try:
            stop()
        except Exception as error:
            log.warning("the pool did not stop as it should", exc_info=error)
        thread.join(STOP_POLL_SECONDS)
        if not thread.is_alive() or time.monotonic() > until:
            return


def _told_of(executor: _Executor) -> type[ExecutionCallback]:
    class Begin(ExecutionCallback):
        def before_execution_starts(self, running: Any) -> None:
            executor.begin(running)

    return Begin


def _read_task(task: Task) -> ReadTask:
    metadata = BlockMetadata(num_rows=1, size_bytes=64, exec_stats=None)
    return ReadTask(lambda: [task_table(task)], metadata, schema=TASK_SCHEMA)
