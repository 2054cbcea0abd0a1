"""A cluster with token authentication: who has no token, or a wrong one, is refused everywhere."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hosts import DASHBOARD_PORT, RAY_PORT, Host, hosts, why_not

pytestmark = pytest.mark.skipif(bool(reason := why_not()), reason=f"no hosts: {reason}")

NO_TOKEN, WRONG_TOKEN = {"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "0" * 64}


@pytest.fixture(scope="module")
def head_and_other() -> Iterator[tuple[Host, Host]]:
    with tempfile.TemporaryDirectory(prefix="h-") as folder, hosts(Path(folder), 2) as (head, other):
        head.start_head()
        head.wait_for_port(DASHBOARD_PORT, "127.0.0.1")
        yield head, other


@pytest.mark.parametrize("token", [NO_TOKEN, WRONG_TOKEN], ids=["no token", "wrong token"])
def test_a_driver_without_the_token_is_refused(head_and_other, token):
    client = "from pipelines.job.session import ray_session\nimport sys\nwith ray_session(sys.argv[1], 0): print('in')"
    head, other = head_and_other
    refused = other.run(sys.executable, "-c", client, f"{head.address}:{RAY_PORT}", **token)
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
def test_jobs_dashboard_and_serve_refuse_who_has_no_token(head_and_other, method, path, token):
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", method, *header]
    answered = head_and_other[0].run(*curl, f"http://127.0.0.1:{DASHBOARD_PORT}{path}")
    assert answered.stdout in ("401", "403")


def test_the_dashboard_listens_on_its_own_machine_alone(head_and_other):
    head, other = head_and_other
    asked = other.run("curl", "-s", f"http://{head.address}:{DASHBOARD_PORT}/")
    assert asked.returncode == 7  # refused
