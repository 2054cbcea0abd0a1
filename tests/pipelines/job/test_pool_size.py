"""How many workers, and how many cores and GPUs each of them gets."""

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from pipelines.job.cores import usable_cores
from pipelines.job.pool_size import PoolSize, no_larger_than, pool_size

NO_GPUS = [0.0]
LAPTOP = [8.0]
CLUSTER = [16.0] * 4
GPUS = [4.0, 4.0]


@pytest.mark.parametrize(
    ("workers", "cpus", "size"),
    [
        (None, LAPTOP, PoolSize(8, 8, 1, 0)),
        ((2, 2), LAPTOP, PoolSize(2, 2, 4, 0)),
        ((1, 3), LAPTOP, PoolSize(1, 3, 2, 0)),
        ((20, 20), LAPTOP, PoolSize(20, 20, 1, 0)),
        ((2, 2), CLUSTER, PoolSize(2, 2, 16, 0)),
        ((2, 2), [3, 1], PoolSize(2, 2, 1, 0)),
        (None, [0.5], PoolSize(1, 1, 1, 0)),
    ],
    ids=["a worker a core", "cores are shared", "by the most workers", "one is least", "of one node", "fits", "a part"],
)
def test_workers_share_the_cores(workers, cpus, size):
    assert pool_size(workers, 0, cpus, NO_GPUS) == size


@pytest.mark.parametrize(
    ("each", "gpus", "workers"), [(1, GPUS, 8), (0.5, GPUS, 16), (2, [3, 3], 2)], ids=["one", "half", "what fits"]
)
def test_there_is_a_worker_a_gpu(each, gpus, workers):
    assert pool_size(None, each, CLUSTER, gpus) == PoolSize(workers, workers, 1, each)


@pytest.mark.parametrize(("gpus", "most"), [(NO_GPUS, 0), ([1, 1], 1)], ids=["none", "none on one node"])
def test_gpus_that_no_node_has_are_refused(gpus, most):
    with pytest.raises(UsageError, match=f"--gpus-per-worker 2: Ray sees no node with more than {most} GPUs"):
        pool_size(None, 2, CLUSTER, gpus)


def test_nodes_with_gpus_may_come_when_workers_ask_for_them():
    assert pool_size((2, 8), 1, [0.0], NO_GPUS, nodes_may_come=True) == PoolSize(2, 8, 1, 1)


def test_how_many_gpus_may_come_nobody_knows():
    with pytest.raises(UsageError, match="Ray sees no node with more than 0 GPUs"):
        pool_size(None, 1, [0.0], NO_GPUS, nodes_may_come=True)


def test_no_worker_is_idle_from_the_start():
    assert no_larger_than(PoolSize(2, 8, 1, 0), tasks=3) == PoolSize(2, 3, 1, 0)


@pytest.mark.parametrize(("quota", "most"), [("max 100000", None), ("150000 100000", 2), ("10000 100000", 1)])
def test_a_containers_quota_bounds_the_cores(tmp_path: Path, quota, most):
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    free = usable_cores(tmp_path / "no such file")
    assert usable_cores(tmp_path / "cpu.max") == min(free, most or free)
