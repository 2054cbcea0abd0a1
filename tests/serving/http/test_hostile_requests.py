"""Whatever is asked, no answer is missing, a server's error, or other than the OpenAPI document says."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from tests.serving.http import hostile_requests
from tests.serving.http.hostile_requests import DOORS, Tally, ask_everything

EXAMPLES = 20
OPERATIONS = {
    "POST /v1/embeddings",
    "GET /v1/models",
    "GET /v1/models/{name}",
    "POST /v1/models/{name}:predict",
    "GET /health",
    "GET /ready",
    "GET /metrics",
    "GET /openapi.json",
}


@pytest.fixture(scope="module", params=DOORS)
def tally(request) -> Tally:
    return ask_everything(DOORS[request.param], EXAMPLES)


def test_every_answer_is_as_the_document_says(tally):
    assert tally.wrong == []


def test_every_request_has_an_answer_that_is_no_error_of_the_server(tally):
    assert [status for status in tally.statuses if status is None or status >= 500] == []


def test_every_operation_is_asked(tally):
    assert set(tally.operations) == OPERATIONS


def test_an_answer_that_is_not_as_the_document_says_is_found(monkeypatch):
    monkeypatch.setattr("serving.http.http_app.answer", lambda *given: b'{"object": "list"}')
    told = "POST /v1/embeddings: Response violates schema"
    assert any(told in wrong for wrong in ask_everything(DOORS["open"], 1).wrong)


def test_an_answer_that_does_not_come_is_found(monkeypatch):
    async def never(endpoints: Any, request: Request) -> Response:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        return Response()

    monkeypatch.setattr("serving.http.http_app._Endpoints.ready", never)
    monkeypatch.setattr(hostile_requests, "SECONDS_TO_AN_ANSWER", 0.5)
    tally = ask_everything(DOORS["open"], 1)
    assert any("GET /ready" in wrong for wrong in tally.wrong)
