"""A cluster of several hosts that are lost, cut off, drained and joined while a job runs, with tokens asked for.

`make test` kills one host; `make cluster-test` does all of it, with KILLS and ROWS, and shows its figures.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster_stage import Stage, stage, until
from tests.e2e.hosts import Host, why_not

KILLS, ROWS = int(os.environ.get("KILLS", "1")), int(os.environ.get("ROWS", "2000"))
BETWEEN_KILLS = 30
# Two units at a worker, which has two calls at once.
IN_FLIGHT = 2

pytestmark = pytest.mark.skipif(bool(reason := why_not()), reason=f"no hosts: {reason}")


@pytest.fixture(scope="module")
def stage_of_hosts(tiny_model) -> Iterator[Stage]:
    # A short path, since Ray has sockets in it.
    with tempfile.TemporaryDirectory(prefix="h-") as folder, stage(Path(folder), tiny_model, ROWS, nodes=3) as ready:
        yield ready


@pytest.fixture
def cluster(stage_of_hosts) -> Iterator[Stage]:
    """The hosts as one cluster, whatever a test before has done to it."""
    stage_of_hosts.start()
    yield stage_of_hosts
    stage_of_hosts.end()


def later(seconds: float, job):
    """A condition that holds so many seconds from now, or when the job has ended."""
    moment = time.monotonic() + seconds
    return lambda: time.monotonic() > moment or job.poll() is not None


def worker_logs(host: Host) -> str:
    return "".join(path.read_text(errors="replace") for path in host.folder.glob("ray/session_*/logs/worker-*"))


@pytest.mark.timeout(900 + 60 * KILLS)
def test_hosts_that_die_and_join_lose_and_double_nothing(cluster):
    job, dead, kills = cluster.embed("dying"), [], 0
    choice = random.Random(1)
    while job.poll() is None and kills < KILLS:
        done = len(cluster.puts("dying"))
        until(lambda done=done: len(cluster.puts("dying")) > done or job.poll() is not None, "another shard")
        for host in dead:
            host.join(cluster.head)
        dead = [choice.choice(cluster.nodes)]
        dead[0].die()
        kills += 1
        until(later(BETWEEN_KILLS if KILLS > 1 else 0, job), "the time between kills")
    for host in dead:
        host.join(cluster.head)
    assert job.wait(600) == 3, cluster.said()
    cluster.assert_whole("dying")
    again = cluster.puts("dying").total() - len(cluster.puts("dying"))
    print(f"{kills} hosts killed: {len(cluster.puts('dying')):,} shards, {again} of them written again")
    assert again <= kills * IN_FLIGHT


@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_a_host_that_is_drained_has_nothing_done_again(cluster):
    job = cluster.embed("drained")
    until(lambda: len(cluster.puts("drained")) > 3 or job.poll() is not None, "the first shards")
    node = cluster.nodes[0]
    drained = node.run(sys.executable, "-m", "cluster.spot_notice", "now")
    assert drained.returncode == 0, drained.stderr
    assert job.poll() is None, "the job ended before the host was drained: give it more ROWS"
    assert job.wait(600) == 3, cluster.said()
    cluster.assert_whole("drained")
    assert set(cluster.puts("drained").values()) == {1}
    assert "the worker leaves it" in worker_logs(node)


@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_a_host_that_comes_back_after_it_was_taken_for_dead_is_no_harm(cluster):
    job, lost = cluster.embed("cut"), cluster.loss_of(cluster.nodes[1])
    until(lambda: len(cluster.puts("cut")) > 3 or job.poll() is not None, "the first shards")
    cluster.nodes[1].cut()
    until(lambda: lost.poll() is not None, "the loss of the host")
    assert lost.poll() == 0
    assert job.poll() is None, "the job ended before the head took the host for dead"
    cluster.nodes[1].mend()
    assert job.wait(600) == 3, cluster.said()
    cluster.assert_whole("cut")


@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_without_its_head_a_job_ends_in_one_line_and_goes_on_when_there_is_one_again(cluster):
    driver = cluster.nodes[2]
    job = cluster.embed("headless", on=driver)
    until(lambda: len(cluster.puts("headless")) > 3 or job.poll() is not None, "the first shards")
    cluster.head.die()
    assert job.wait(600) == 1, cluster.said(driver)
    print(cluster.said(driver))
    assert "run the same command again" in cluster.said(driver).splitlines()[-1]
    for node in cluster.nodes:
        node.die()
    cluster.start()
    assert cluster.embed("headless").wait(600) == 3, cluster.said()
    cluster.assert_whole("headless")
