"""How many workers a pool has and what each of them gets, from what was asked for and what the cluster has."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import UsageError

# Of a job's own Ray: only tasks and records pass through the object store, a few hundred bytes each.
OBJECT_STORE_BYTES = 200 << 20


@dataclass(frozen=True)
class PoolSize:
    """From `least` to `most` workers, each with so many CPUs, which are its threads too, and GPUs."""

    least: int
    most: int
    cpus_per_worker: int
    gpus_per_worker: float


def pool_size(
    workers: tuple[int, int] | None,
    gpus_per_worker: float,
    cpus: Sequence[float],
    gpus: Sequence[float],
    option: str = "--gpus-per-worker",
    nodes_may_come: bool = False,
) -> PoolSize:
    """The pool that was asked for; where no number was, a worker a GPU, or a CPU core.

    cpus, gpus: of each node. Workers without a GPU share the cores evenly, as far as they fit the nodes. Raises
    UsageError, which calls `gpus_per_worker` by its option, where no node has the GPUs of one worker; but not where
    `nodes_may_come` when a number of workers asks for them.
    """
    if gpus_per_worker and not (workers and nodes_may_come) and not _places(gpus, gpus_per_worker):
        most = f"{max(gpus, default=0):g} GPUs"
        raise UsageError(f"{option} {gpus_per_worker:g}: Ray sees no node with more than {most}")
    room = _places(gpus, gpus_per_worker) if gpus_per_worker else int(sum(cpus))
    least, most_workers = workers or (max(1, room),) * 2
    shares = range(int(max(cpus, default=1)), 1, -1)
    cores = 1 if gpus_per_worker else next((n for n in shares if _places(cpus, n) >= most_workers), 1)
    return PoolSize(least, most_workers, cores, gpus_per_worker)


def no_larger_than(size: PoolSize, tasks: int) -> PoolSize:
    """The pool without workers that would have nothing to do."""
    return PoolSize(min(size.least, tasks), min(size.most, tasks), size.cpus_per_worker, size.gpus_per_worker)


def _places(nodes: Sequence[float], each: float) -> int:
    """How many workers fit the nodes."""
    return sum(int(node / each + 1e-9) for node in nodes)
