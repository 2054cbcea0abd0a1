"""Live and ready: what is told of a model that answers, of one that is stuck, and of one that stops."""

import pytest

from serving import served_model
from serving.http.http_app import Limits, http_app
from serving.lanes.lanes import Lane
from serving.served_model import ServedModel
from tests.serving.fake_encoder import FakeEncoder
from tests.serving.http.http_server import ask, running, wait_for


@pytest.fixture
def encoder():
    encoder = FakeEncoder()
    yield encoder
    encoder.free.set()


@pytest.fixture
def model(encoder):
    model = ServedModel("small", encoder, most_waiting=64, batch_floor=0.1, deadline_seconds=30)
    yield model
    encoder.free.set()
    model.stop()


@pytest.fixture
def address(model):
    with running(http_app({"small": model}, None, Limits())) as url:
        yield url


def test_a_model_that_answers_is_live_and_ready(address):
    assert (ask(f"{address}/health").status, ask(f"{address}/health").json) == (200, {"status": "ok"})
    assert (ask(f"{address}/ready").status, ask(f"{address}/ready").json) == (200, {"status": "ready"})


def test_a_micro_batch_at_hand_is_no_trouble(address, model, encoder):
    encoder.free.clear()
    model.lanes.submit(Lane.BATCH, encoder.tokenize(["a"]))
    assert encoder.begun.acquire(timeout=30)
    assert ask(f"{address}/health").status == 200


def test_a_micro_batch_that_does_not_end_is_told(address, model, encoder, monkeypatch):
    monkeypatch.setattr(served_model, "MOST_MICRO_BATCH_SECONDS", 0.0)
    encoder.free.clear()
    model.lanes.submit(Lane.BATCH, encoder.tokenize(["a"]))
    assert encoder.begun.acquire(timeout=30)
    wait_for(lambda: ask(f"{address}/health").status == 503)
    assert "more than 0 seconds" in ask(f"{address}/health").json["models"]["small"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_told_and_nobody_waits_for_it(address, model, monkeypatch):
    def fail() -> None:
        raise MemoryError

    monkeypatch.setattr(model.lanes._lanes, "next", fail)
    answer = ask(f"{address}/v1/embeddings", b'{"model": "small", "input": "a"}')
    assert answer.status == 503
    wait_for(lambda: ask(f"{address}/health").status == 503)
    assert "has ended" in ask(f"{address}/health").json["models"]["small"]


def test_a_model_that_stops_is_not_ready(address, model):
    model.stop()
    assert (ask(f"{address}/ready").status, ask(f"{address}/ready").json) == (503, {"status": "stopping"})


def test_what_a_stopping_model_is_asked_may_be_asked_again(address, model):
    model.stop()
    answer = ask(f"{address}/v1/embeddings", b'{"model": "small", "input": "a"}')
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
