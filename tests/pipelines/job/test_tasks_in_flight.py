"""How many tasks a worker is sent at once: enough to be never idle, and never another worker's share."""

import pytest

from pipelines.job.pool import CALLS_AT_ONCE, TASKS_IN_FLIGHT, tasks_in_flight
from pipelines.job.pool_size import PoolSize
from pipelines.job.tasks import Task


def pool(least: int, most: int) -> PoolSize:
    return PoolSize(least, most, cpus_per_worker=1, gpus_per_worker=0)


def runs(number: int) -> list[Task]:
    return [Task(0, (slice_,)) for slice_ in range(number)]


@pytest.mark.parametrize(("tasks", "workers", "sent"), [(2, 2, 1), (1, 1, 1), (3, 2, 2), (8, 8, 1), (9, 8, 2)])
def test_of_few_tasks_a_worker_is_sent_its_share(tasks, workers, sent):
    assert tasks_in_flight(runs(tasks), pool(workers, workers)) == sent


def test_of_many_tasks_some_wait_at_the_worker():
    assert tasks_in_flight(runs(10_000), pool(8, 8)) == TASKS_IN_FLIGHT


def test_where_there_are_stripes_none_waits_at_the_worker():
    assert tasks_in_flight([Task(1), *runs(10_000)], pool(8, 8)) == CALLS_AT_ONCE


def test_the_queues_of_a_pool_that_may_grow_are_full():
    assert tasks_in_flight([Task(1), *runs(1)], pool(1, 2)) == TASKS_IN_FLIGHT
