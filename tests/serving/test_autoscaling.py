"""How many replicas there are follows what people ask for."""

import pytest

from serving.autoscaling import QUEUE_SECONDS, TARGET_LOAD, OnlineLoad, autoscaling_config, replicas_for


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_load_is_the_share_of_the_time_spent_on_online_rows(clock):
    load = OnlineLoad(clock)
    load.add(2.0)
    load.add(1.0)
    clock.now = 10.0
    assert load.take(queue_seconds=0.0) == pytest.approx(0.3)
    clock.now = 20.0
    assert load.take(queue_seconds=0.0) == 0.0


def test_a_queue_adds_to_a_load_that_is_full(clock):
    load = OnlineLoad(clock)
    load.add(60.0)
    clock.now = 10.0
    assert load.take(queue_seconds=2 * QUEUE_SECONDS) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("load", "requests", "replicas"),
    [(0, 0, 0), (0, 1, 1), (0.1, 0, 1), (TARGET_LOAD, 1, 1), (2 * TARGET_LOAD, 1, 2), (3.0, 40, 5)],
)
def test_there_are_as_many_as_keep_each_below_its_target_and_one_while_anything_is_under_way(load, requests, replicas):
    assert replicas_for(load, requests) == replicas


def test_a_deployment_may_go_down_to_nothing_but_starts_with_one():
    config = autoscaling_config(0, 4)
    assert (config.min_replicas, config.initial_replicas, config.max_replicas) == (0, 1, 4)
