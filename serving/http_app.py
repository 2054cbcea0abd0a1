"""The HTTP side: bytes of requests to models, and their answers back, in the shapes that clients know.

Knows nothing of Ray: any ASGI server runs it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from serving.api_error import ApiError
from serving.api_keys import ApiKey, KeyFile, authenticate
from serving.openai_api import answer, parse_request
from serving.page.answer import page
from serving.rate_limit import RateLimit
from serving.served_model import ServedModel

log = logging.getLogger(__name__)
access = logging.getLogger("serving.access")

Result = TypeVar("Result")

FINGERPRINT_HEADER = "x-encorpus-fingerprint"
REQUEST_ID_HEADER = "x-request-id"


@dataclass(frozen=True)
class Limits:
    """body_bytes: of a request, at most."""

    body_bytes: int = 16 << 20


def http_app(models: Mapping[str, ServedModel], keys: KeyFile | None, limits: Limits) -> Starlette:
    """The application over models by name. keys: who may ask; None lets everybody."""
    endpoints = _Endpoints(models, keys, limits)
    return Starlette(
        routes=[
            Route("/v1/embeddings", endpoints.embeddings, methods=["POST"]),
            Route("/v1/models", endpoints.list_models, methods=["GET"]),
            Route("/health", endpoints.health, methods=["GET"]),
            Route("/", page, methods=["GET"]),
        ],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )


class _Endpoints:
    def __init__(self, models: Mapping[str, ServedModel], keys: KeyFile | None, limits: Limits) -> None:
        self._models = models
        self._keys = keys
        self._limits = limits
        self._rates: dict[str, tuple[RateLimit, RateLimit]] = {}

    async def embeddings(self, request: Request) -> Response:
        return await self._answered(request, self._embeddings)

    async def list_models(self, request: Request) -> Response:
        return await self._answered(request, self._list_models)

    async def health(self, request: Request) -> Response:
        """Whether this process answers."""
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def _answered(self, request: Request, endpoint: Callable[[Request], Awaitable[Response]]) -> Response:
        """The endpoint's answer, or what a client is told where there is none; with a line in the access log."""
        request_id, started = secrets.token_hex(8), time.monotonic()
        try:
            response = await endpoint(request)
        except ApiError as error:
            response = _refusal(error)
        except ClientDisconnect:
            response = Response(status_code=499)
        except Exception:
            log.exception("request %s failed", request_id)
            response = _refusal(ApiError(500, "The server had an error while processing the request."))
        response.headers[REQUEST_ID_HEADER] = request_id
        access.info(
            "%s %s %s %d %.1f ms",
            request_id,
            request.method,
            request.url.path,
            response.status_code,
            (time.monotonic() - started) * 1000,
        )
        return response

    async def _embeddings(self, request: Request) -> Response:
        key = self._who(request)
        asked = parse_request(await _body(request, self._limits.body_bytes))
        model = self._models.get(asked.model)
        if model is None:
            raise ApiError(
                404, f"The model '{asked.model}' does not exist here.", code="model_not_found", param="model"
            )
        tokens_left, requests_left = self._rates_of(key)
        _require(requests_left, 1)
        embedded = await _while_connected(request, model.embed(asked))
        tokens_left.take(embedded.tokens, time.monotonic())
        body = answer(asked, embedded.vectors, embedded.tokens)
        headers = {FINGERPRINT_HEADER: model.encoder.fingerprint}
        return Response(body, media_type="application/json", headers=headers)

    async def _list_models(self, request: Request) -> Response:
        self._who(request)
        data = [
            {
                "id": name,
                "object": "model",
                "created": 0,
                "owned_by": "encorpus",
                "fingerprint": model.encoder.fingerprint,
                "dimension": model.encoder.dimension,
                "max_tokens": model.encoder.tokenize.max_tokens,
            }
            for name, model in self._models.items()
        ]
        return Response(orjson.dumps({"object": "list", "data": data}), media_type="application/json")

    def _who(self, request: Request) -> ApiKey | None:
        if self._keys is None:
            return None
        if problem := self._keys.reload():
            log.warning("the API keys stay as they were: %s", problem)
        return authenticate(self._keys.keys, request.headers.get("authorization"))

    def _rates_of(self, key: ApiKey | None) -> tuple[RateLimit, RateLimit]:
        now = time.monotonic()
        if key is None:
            return RateLimit(None, now), RateLimit(None, now)
        if key.name not in self._rates:
            self._rates[key.name] = RateLimit(key.tokens_per_minute, now), RateLimit(key.requests_per_minute, now)
        return self._rates[key.name]


def _require(limit: RateLimit, amount: int) -> None:
    now = time.monotonic()
    wait = limit.wait(amount, now)
    if wait:
        raise ApiError(
            429, "Rate limit reached for this key.", code="rate_limit_exceeded", retry_after=max(1, round(wait))
        )
    limit.take(amount, now)


async def _body(request: Request, most: int) -> bytes:
    """The request's body. Raises ApiError as soon as it is longer than allowed."""
    parts: list[bytes] = []
    length = 0
    async for part in request.stream():
        length += len(part)
        if length > most:
            raise ApiError(413, f"The body of the request is longer than {most:,} bytes: send it in parts.")
        parts.append(part)
    return b"".join(parts)


async def _while_connected(request: Request, work: Awaitable[Result]) -> Result:
    """The work's result; it is cancelled when the client goes away, and ClientDisconnect raised."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _refusal(error: ApiError) -> Response:
    headers = {"retry-after": str(error.retry_after)} if error.retry_after else None
    return Response(error.body, error.status, headers, media_type="application/json")


async def _not_found(request: Request, error: Exception) -> Response:
    return _refusal(ApiError(404, f"Unknown request URL: {request.method} {request.url.path}.", code="unknown_url"))


async def _not_allowed(request: Request, error: Exception) -> Response:
    return _refusal(
        ApiError(405, f"Not allowed here: {request.method} {request.url.path}.", code="method_not_supported")
    )
