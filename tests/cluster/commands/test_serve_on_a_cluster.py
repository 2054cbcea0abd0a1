"""`encorpus serve --address`: it leaves alone what others run on that cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from ray import serve
from ray.serve.schema import ApplicationStatus

from tests.cluster.command_line import Finished, encorpus
from tests.s3_server import free_port


@serve.deployment(ray_actor_options={"num_cpus": 0})
class Other:
    """Somebody else's."""

    def close(self) -> None:
        raise AssertionError("closed by a stranger")


@contextmanager
def running(name: str, prefix: str) -> Iterator[None]:
    serve.start(http_options={"host": "127.0.0.1", "port": free_port()})
    serve.run(Other.bind(), name=name, route_prefix=prefix)
    try:
        yield
        assert serve.status().applications[name].status is ApplicationStatus.RUNNING
    finally:
        serve.shutdown()


def serve_news(model, *words: str) -> Finished:
    return encorpus("serve", "--model", model, "--address", "auto", "--no-auth", "--name", "news", *words)


@pytest.fixture(autouse=True)
def connected(ray_session):
    """The cluster is the Ray that this process is connected to."""


@pytest.mark.parametrize(
    ("name", "prefix", "told"),
    [
        ("news", "/news", "--name news: that cluster has an application of that name; give another --name"),
        ("other", "/", "--name news: the application other answers on that cluster already; end that one first"),
    ],
)
def test_an_application_that_is_in_the_way_stays(tiny_model, name, prefix, told):
    with running(name, prefix):
        refused = serve_news(tiny_model)
    assert refused.status == 2
    assert told in refused.told


def test_what_does_not_come_to_start_ends_no_application_of_that_name(tiny_model):
    with running("news", "/news"):
        assert serve_news(tiny_model, "--gpus-per-replica", "1").status == 2


def test_a_refusal_is_one_line_where_no_serve_runs(tiny_model):
    refused = serve_news(tiny_model, "--gpus-per-replica", "1")
    assert refused.status == 2
    assert "--gpus-per-replica 1: Ray sees no node with more than 0 GPUs" in refused.told
