"""Once the doors are closed, nobody comes in, and those inside are answered."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.http.doors import Doors
from serving.http.http_app import Limits, http_app
from serving.served_model import ServedModel
from tests.serving.fake_encoder import FakeEncoder, vector_of
from tests.serving.http.http_server import ask, client_of, running, vectors, wait_for


@pytest.fixture
def encoder():
    return FakeEncoder()


@pytest.fixture
def doors():
    return Doors()


@pytest.fixture
def address(encoder: FakeEncoder, doors: Doors) -> Iterator[str]:
    model = ServedModel("small", encoder, most_waiting=1000, batch_floor=0.1, deadline_seconds=30)
    with running(http_app({"small": model}, None, Limits(), doors=doors)) as url:
        yield url
    model.stop()


def test_who_is_inside_is_answered_and_who_comes_later_is_told_to_come_again(encoder, doors, address):
    encoder.free.clear()
    with ThreadPoolExecutor() as threads:
        inside = threads.submit(vectors, client_of(address, "-"), "a text")
        assert encoder.begun.acquire(timeout=30)
        closing = threads.submit(asyncio.run, doors.close())
        wait_for(lambda: not doors.open)
        late = ask(f"{address}/v1/models")
        assert (late.status, late.headers["retry-after"]) == (503, "1")
        assert (ask(f"{address}/ready").status, ask(f"{address}/health").status) == (503, 200)
        assert not closing.done()
        encoder.free.set()
        assert inside.result(timeout=30) == [vector_of("a text")]
        closing.result(timeout=30)


def test_doors_with_nobody_inside_close_at_once(doors, address):
    assert ask(f"{address}/v1/models").status == 200
    asyncio.run(doors.close())
    assert ask(f"{address}/v1/models").status == 503
