"""A cluster of several hosts that are lost, cut off, drained and joined while a job runs, with tokens asked for.

`make test` runs it small; `make cluster-test` with KILLS and ROWS in full, and shows its figures.
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
from tests.e2e.hosts import DASHBOARD_PORT, RAY_PORT, Host, why_not

KILLS, ROWS = int(os.environ.get("KILLS", "1")), int(os.environ.get("ROWS", "2000"))
BETWEEN_KILLS = 30
# Two units at a worker, which has two calls at once.
IN_FLIGHT = 2

pytestmark = pytest.mark.skipif(bool(reason := why_not()), reason=f"no hosts: {reason}")


@pytest.fixture(scope="module")
def cluster(tiny_model) -> Iterator[Stage]:
    # A short path, since Ray has sockets in it.
    with tempfile.TemporaryDirectory(prefix="h-") as folder, stage(Path(folder), tiny_model, ROWS, nodes=3) as ready:
        yield ready


def later(seconds: float, job):
    """A condition that holds so many seconds from now, or when the job has ended."""
    moment = time.monotonic() + seconds
    return lambda: time.monotonic() > moment or job.poll() is not None


def worker_logs(host: Host) -> str:
    return "".join(path.read_text(errors="replace") for path in host.folder.glob("ray/session_*/logs/worker-*"))


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


def test_a_host_that_is_drained_has_nothing_done_again(cluster):
    job = cluster.embed("drained")
    until(lambda: len(cluster.puts("drained")) > 3 or job.poll() is not None, "the first shards")
    node = cluster.nodes[0]
    drained = node.run(sys.executable, "-m", "cluster.spot_notice", "now")
    assert drained.returncode == 0, drained.stderr
    until(
        lambda: "is draining: the worker leaves it" in worker_logs(node) or job.poll() is not None,
        "the worker's leaving",
    )
    assert job.wait(600) == 3, cluster.said()
    cluster.assert_whole("drained")
    assert set(cluster.puts("drained").values()) == {1}


def test_a_host_that_is_cut_off_for_a_while_is_no_harm(cluster):
    job = cluster.embed("cut")
    until(lambda: len(cluster.puts("cut")) > 3 or job.poll() is not None, "the first shards")
    cluster.nodes[1].cut()
    until(later(BETWEEN_KILLS, job), "the time that it is cut off")
    cluster.nodes[1].mend()
    assert job.wait(600) == 3, cluster.said()
    cluster.assert_whole("cut")


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


NO_TOKEN, WRONG_TOKEN = {"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "0" * 64}


@pytest.mark.parametrize("token", [NO_TOKEN, WRONG_TOKEN], ids=["no token", "wrong token"])
def test_a_driver_without_the_token_is_refused(cluster, token):
    client = "from pipelines.job.session import ray_session\nimport sys\nwith ray_session(sys.argv[1], 0): print('in')"
    refused = cluster.nodes[0].run(sys.executable, "-c", client, f"{cluster.head.address}:{RAY_PORT}", **token)
    assert refused.returncode == 1
    assert "no Ray cluster answers there, or not without its token" in refused.stderr


@pytest.mark.parametrize("token", [None, "0" * 64], ids=["no token", "wrong token"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/jobs/"),
        ("POST", "/api/jobs/"),
        ("GET", "/nodes?view=summary"),
        ("GET", "/api/serve/applications/"),
        ("PUT", "/api/serve/applications/"),
        ("DELETE", "/api/serve/applications/"),
    ],
)
def test_jobs_dashboard_and_serve_refuse_who_has_no_token(cluster, method, path, token):
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", method, *header]
    answered = cluster.head.run(*curl, f"http://127.0.0.1:{DASHBOARD_PORT}{path}")
    assert answered.stdout in ("401", "403")


def test_the_dashboard_listens_on_its_own_machine_alone(cluster):
    other = cluster.nodes[0].run("curl", "-s", f"http://{cluster.head.address}:{DASHBOARD_PORT}/")
    assert other.returncode == 7  # refused
