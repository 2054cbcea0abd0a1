"""How many workers a pool has and what each of them gets, from what was asked for and what the cluster has."""

from dataclasses import dataclass

from pipelines.errors import UsageError


@dataclass(frozen=True)
class Capacity:
    """What a cluster has of CPUs or GPUs: in all, and on the node that has most."""

    total: float
    largest: float


@dataclass(frozen=True)
class PoolSize:
    """From `least` to `most` workers, each with so many CPUs, which are its threads too, and GPUs."""

    least: int
    most: int
    cpus_per_worker: int
    gpus_per_worker: float


def worker_bounds(workers: tuple[int, int] | None, gpus_per_worker: float, cpus: Capacity, gpus: Capacity) -> PoolSize:
    """The pool that was asked for; where no number was, a worker a GPU, or a CPU core.

    Workers without a GPU share the cores evenly. Raises UsageError where no node has the GPUs of one worker.
    """
    if gpus_per_worker > gpus.largest:
        raise UsageError(
            f"--gpus-per-worker {gpus_per_worker:g}: Ray sees no node with more than {gpus.largest:g} GPUs"
        )
    room = gpus.total / gpus_per_worker if gpus_per_worker else cpus.total
    least, most = workers or (max(1, int(room)),) * 2
    cores = 1 if gpus_per_worker else max(1, int(min(cpus.largest, cpus.total // most)))
    return PoolSize(least, most, cores, gpus_per_worker)


def no_larger_than(size: PoolSize, tasks: int) -> PoolSize:
    """The pool without workers that would have nothing to do."""
    return PoolSize(min(size.least, tasks), min(size.most, tasks), size.cpus_per_worker, size.gpus_per_worker)
