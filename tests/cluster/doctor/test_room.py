"""Room for workers on a cluster's nodes: there, not there, or not there yet."""

import pytest

from cluster.doctor.node import Share
from cluster.doctor.room import check_room


def share(cpus=0.0, gpus=0.0):
    return Share(cpus, gpus, object_store_bytes=1e8, temp_folder="/tmp/ray")


@pytest.mark.parametrize(("worker", "gpus_per_worker"), [(share(cpus=4), 0), (share(8, 1), 1), (share(8, 1), 0.5)])
def test_a_node_with_room_needs_no_word(worker, gpus_per_worker):
    assert list(check_room([share(), worker], gpus_per_worker)) == []


@pytest.mark.parametrize("gpus_per_worker", [0, 1])
def test_a_head_that_waits_for_a_job_to_bring_nodes_is_a_warning_that_nothing_was_looked_at(gpus_per_worker):
    (finding,) = check_room([share()], gpus_per_worker)
    assert (finding.level, "was looked at nowhere" in finding.found) == ("warning", True)
    assert "while one runs" in finding.advice


def test_nodes_without_the_gpus_that_a_worker_needs_are_a_failure():
    (finding,) = check_room([share(), share(cpus=8), share(8, 1)], gpus_per_worker=2)
    assert (finding.level, finding.found) == (
        "FAILURE",
        "--gpus-per-worker 2: Ray sees no node with more than 1 GPUs",
    )
