"""The access log: one JSON line for each request, and its count in the metrics. Never a key, never a text."""

import asyncio
import logging
import re
import secrets
import time
from dataclasses import dataclass

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.api_error import cut
from serving.metrics import Metrics

access = logging.getLogger("serving.access")

REQUEST_ID_HEADER = "x-request-id"

# Of a request's id that comes from outside, what cannot mislead who reads the log.
PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")

RECORD = "encorpus.record"

# Statuses of requests without an answer: since the client went away, or something else went wrong.
GONE, UNANSWERED = 499, 500


def write_access_log() -> None:
    """From now on, the lines go to stderr of this process."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    access.handlers = [handler]
    access.setLevel(logging.INFO)
    access.propagate = False


@dataclass
class RequestRecord:
    """What becomes known of a request while it is served.

    model: the name of one that is served, `other`, or empty where none was asked for. tokens: of all its inputs.
    key: the name of whose request it is.
    """

    request_id: str
    model: str = ""
    tokens: int | None = None
    key: str | None = None


def record_of(request: Request) -> RequestRecord:
    """The record of a request that came through AccessLog."""
    return request.scope[RECORD]


class AccessLog:
    """Middleware that writes the line. The id that it makes goes into the answer; one that came with a request, and is
    plain, is kept."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        record = RequestRecord(given if PLAIN.fullmatch(given) else secrets.token_hex(8))
        scope[RECORD] = record
        started, status = time.monotonic(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if record.request_id != given:
                    MutableHeaders(scope=message)[REQUEST_ID_HEADER] = record.request_id
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except asyncio.CancelledError:
            status = status or GONE
            raise
        finally:
            seconds, status = time.monotonic() - started, status or UNANSWERED
            route = scope.get("route")
            self._metrics.request(route.path_format if route else "other", record.model, status, seconds)
            access.info(_line(scope, record, status, seconds))


def _line(scope: Scope, record: RequestRecord, status: int, seconds: float) -> str:
    line = {
        "request": record.request_id,
        "method": cut(scope["method"]),
        "path": cut(scope["path"]).encode("utf-8", "replace").decode(),
        "status": status,
        "ms": round(seconds * 1000, 1),
        "model": record.model or None,
        "tokens": record.tokens,
        "key": record.key,
    }
    return orjson.dumps(line).decode()
