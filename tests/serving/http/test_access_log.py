"""The access log: a line of JSON for each request, without a key or a text in it."""

import asyncio
import hashlib
import json
import logging

import pytest
from starlette.types import Receive, Scope, Send

from serving.http.access_log import REQUEST_ID_HEADER, AccessLog
from serving.http.api_keys import KeyFile
from serving.http.http_app import Limits, http_app
from serving.metrics import Metrics
from serving.served_model import ServedModel
from tests.serving.fake_encoder import FakeEncoder
from tests.serving.http.http_server import ask, running, wait_for

KEY = "a secret key"
BODY = b'{"model": "small", "input": ["a private text"]}'


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    path.write_text(f'[keys.team]\nsha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"\n')
    model = ServedModel("small", FakeEncoder(), most_waiting=64, batch_floor=0.1, deadline_seconds=30)
    with running(http_app({"small": model}, KeyFile(path), Limits())) as url:
        yield url
    model.stop()


@pytest.fixture
def line_of(address, caplog):
    """Asks, and gives the answer and the line."""

    def asking(path: str, body: bytes | None = None, **headers: str):
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="serving.access"):
            answer = ask(address + path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            wait_for(lambda: caplog.messages)
        (message,) = caplog.messages
        return answer, json.loads(message), message

    return asking


def test_a_request_has_one_line(line_of):
    answer, line, _ = line_of("/v1/embeddings?page=1", BODY, authorization=f"Bearer {KEY}")
    assert line.pop("ms") >= 0
    assert line == {
        "request": answer.headers[REQUEST_ID_HEADER],
        "method": "POST",
        "path": "/v1/embeddings",
        "status": 200,
        "model": "small",
        "tokens": 5,
        "key": "team",
    }


@pytest.mark.parametrize("key", [KEY, "another key"])
def test_no_key_and_no_text_is_in_it(line_of, key):
    *_, message = line_of("/v1/embeddings?secret=1", BODY, authorization=f"Bearer {key}")
    assert not any(word in message for word in ("secret", "private", "another", "sha256"))


def test_what_is_refused_has_a_line_too(line_of):
    _, line, _ = line_of("/nowhere")
    assert (line["status"], line["path"], line["model"], line["key"]) == (404, "/nowhere", None, None)


def test_an_id_that_came_with_the_request_is_kept(line_of):
    _, line, _ = line_of("/health", x_request_id="abc-1.2_3")
    assert line["request"] == "abc-1.2_3"


@pytest.mark.parametrize("given", ["a" * 65, 'a"b', "a b", "ä", "{}"])
def test_an_id_that_is_not_plain_is_not(line_of, given):
    answer, line, _ = line_of("/health", x_request_id=given)
    assert line["request"] == answer.headers[REQUEST_ID_HEADER] != given


def test_a_client_that_went_away_is_no_error_of_the_server(caplog):
    """As a server tells it that cancels the request's task."""

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def gone() -> None:
        scope = {"type": "http", "method": "POST", "path": "/v1/embeddings", "headers": []}
        with caplog.at_level(logging.INFO, logger="serving.access"):
            task = asyncio.ensure_future(AccessLog(never, Metrics("0"))(scope, receive=None, send=None))  # pyright: ignore
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(gone())
    assert json.loads(caplog.messages[0])["status"] == 499
