"""How many tasks a worker is sent at once: enough to be never idle, and never another worker's share."""

import pytest

from pipelines.job.pool import TASKS_IN_FLIGHT, tasks_in_flight
from pipelines.job.pool_size import PoolSize


def pool(least: int, most: int) -> PoolSize:
    return PoolSize(least, most, cpus_per_worker=1, gpus_per_worker=0)


@pytest.mark.parametrize(("tasks", "workers", "sent"), [(2, 2, 1), (1, 1, 1), (3, 2, 2), (8, 8, 1), (9, 8, 2)])
def test_of_few_tasks_a_worker_is_sent_its_share(tasks, workers, sent):
    assert tasks_in_flight(tasks, pool(workers, workers)) == sent


def test_of_many_tasks_some_wait_at_the_worker():
    assert tasks_in_flight(10_000, pool(8, 8)) == TASKS_IN_FLIGHT


def test_the_queues_of_a_pool_that_may_grow_are_full():
    assert tasks_in_flight(2, pool(1, 2)) == TASKS_IN_FLIGHT
