"""Where the Jobs API should answer there may be anything: one line says what."""

import socket

import pytest
from packaging.requirements import Requirement

from cluster.jobs import client
from cluster.jobs.client import Cluster, UnreachableError
from pipelines.errors import UsageError
from tests.cluster.jobs.other_servers import answering


@pytest.mark.parametrize(("status", "body"), [(404, b"no"), (200, b"<html>"), (200, b"{}")])
def test_another_server_is_not_taken_for_ray(status, body):
    with answering(status, body) as url, pytest.raises(UnreachableError, match="is not Ray's Jobs API"):
        Cluster(url)


def test_a_gateway_without_a_cluster_behind_it():
    with (
        answering(502, b"") as url,
        pytest.raises(UnreachableError, match=r"no Ray cluster answers there \(502 Server"),
    ):
        Cluster(url)


def test_a_machine_that_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(client, "REQUEST_SECONDS", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnreachableError, match="no answer in time"):
        Cluster(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_ray_that_is_too_old_is_told():
    with (
        answering(200, b'{"ray_version": "2.9.3"}') as url,
        pytest.raises(UsageError, match=r"runs Ray 2\.9\.3; .* needs"),
    ):
        Cluster(url).require_ray()


def test_the_oldest_ray_is_that_of_the_package():
    from importlib.metadata import requires

    ray = next(one for one in map(Requirement, requires("encorpus") or ()) if one.name == "ray")
    assert str(ray.specifier) == f">={client.OLDEST_RAY}"
