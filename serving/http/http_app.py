"""The HTTP side: bytes of requests to models, and their answers back, in the shapes that clients know.

Knows nothing of Ray: any ASGI server runs it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import numpy as np
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from serving.http.access_log import AccessLog, record_of
from serving.http.api_error import ApiError, cut
from serving.http.api_keys import ApiKey, FixedKeys, KeyFile, authenticate
from serving.http.doors import Doors
from serving.http.intake import Intake
from serving.http.key_limits import KeyLimits
from serving.http.openai_api import answer, parse_request
from serving.http.openapi import EMBEDDINGS, HEALTH, METRICS, MODEL, MODELS, OPENAPI, PREDICT, READY, openapi
from serving.http.request_body import parsed, read_body, require_json, while_connected
from serving.http.tensorflow_api import OUTPUTS, PredictRequest, answer_predict, check_size, parse_predict
from serving.metrics import CONTENT_TYPE, Metrics
from serving.page.answer import page
from serving.request_tokens import all_tokens
from serving.served_model import ServedModel

log = logging.getLogger(__name__)

FINGERPRINT_HEADER = "x-encorpus-fingerprint"

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Limits:
    """body_bytes: of a request, at most."""

    body_bytes: int = 16 << 20


def http_app(
    models: Mapping[str, ServedModel],
    keys: KeyFile | FixedKeys | None,
    limits: Limits,
    metrics: Metrics | None = None,
    all_metrics: Callable[[], Awaitable[str]] | None = None,
    doors: Doors | None = None,
) -> Starlette:
    """The application over models by name.

    keys: who may ask; None lets everybody. metrics: what it counts into. all_metrics: gives what GET /metrics answers;
    None for those of this application alone. doors: what requests come in by.
    """
    counted = metrics or Metrics("0")
    endpoints = _Endpoints(models, keys, limits, all_metrics or _own(counted), doors or Doors())
    return Starlette(
        routes=[
            Route(EMBEDDINGS, endpoints.embeddings, methods=["POST"]),
            Route(MODELS, endpoints.list_models, methods=["GET"]),
            Route(PREDICT, endpoints.predict, methods=["POST"]),
            Route(PREDICT, _only_post, methods=["GET"]),
            Route(MODEL, endpoints.tell_model, methods=["GET"]),
            Route(HEALTH, endpoints.health, methods=["GET"]),
            Route(READY, endpoints.ready, methods=["GET"]),
            Route(METRICS, endpoints.metrics, methods=["GET"]),
            Route(OPENAPI, endpoints.openapi, methods=["GET"]),
            Route("/", page, methods=["GET"]),
        ],
        middleware=[Middleware(AccessLog, metrics=counted)],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )


def _own(metrics: Metrics) -> Callable[[], Awaitable[str]]:
    async def exposition() -> str:
        return metrics.exposition()

    return exposition


class _Endpoints:
    def __init__(
        self,
        models: Mapping[str, ServedModel],
        keys: KeyFile | FixedKeys | None,
        limits: Limits,
        all_metrics: Callable[[], Awaitable[str]],
        doors: Doors,
    ) -> None:
        self._models = models
        self._keys = keys
        self._limits = limits
        self._all_metrics = all_metrics
        self._doors = doors
        self._key_limits = KeyLimits()
        self._intake = Intake()
        self._openapi = orjson.dumps(openapi({name: model.encoder for name, model in models.items()}, keys is not None))

    async def embeddings(self, request: Request) -> Response:
        return await self._answered(request, self._embeddings)

    async def list_models(self, request: Request) -> Response:
        return await self._answered(request, self._list_models)

    async def tell_model(self, request: Request) -> Response:
        return await self._answered(request, self._tell_model)

    async def predict(self, request: Request) -> Response:
        return await self._answered(request, self._predict)

    async def health(self, request: Request) -> Response:
        """Whether every model still answers."""
        told = {name: trouble for name, model in self._models.items() if (trouble := model.trouble())}
        return _json({"status": "failing", "models": told}, 503) if told else _json({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Whether requests are taken. The models are loaded and warm before there is an application."""
        if not self._doors.open or any(model.stopping for model in self._models.values()):
            return _json({"status": "stopping"}, 503)
        return _json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        return Response(await self._all_metrics(), headers={"content-type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        return Response(self._openapi, media_type="application/json")

    async def _answered(self, request: Request, endpoint: Endpoint) -> Response:
        """The endpoint's answer, or what a client is told where there is none."""
        try:
            with self._doors.inside():
                return await endpoint(request)
        except ApiError as error:
            return _refusal(request, error)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            log.exception("request %s failed", record_of(request).request_id)
            return _refusal(request, ApiError(500, "The server had an error while processing the request."))

    async def _embeddings(self, request: Request) -> Response:
        key = self._who(request)
        require_json(request)
        with self._intake.request() as take:
            asked = await parsed(await read_body(request, self._limits.body_bytes, take), parse_request)
            model = self._model(request, asked.model)
            self._key_limits.take_request(key)

            def charge(tokens: int) -> None:
                record_of(request).tokens = tokens
                self._key_limits.take_tokens(key, tokens)

            embedded = await while_connected(request, model.embed(asked, charge))
        body = await asyncio.to_thread(answer, asked, embedded.vectors, embedded.tokens)
        headers = {FINGERPRINT_HEADER: model.encoder.fingerprint}
        return Response(body, media_type="application/json", headers=headers)

    async def _predict(self, request: Request) -> Response:
        key = self._who(request)
        with self._intake.request() as take:
            asked = await parsed(await read_body(request, self._limits.body_bytes, take), parse_predict)
            model = self._model(request, request.path_params["name"])
            self._key_limits.take_request(key)
            heads = {name: await while_connected(request, model.head(OUTPUTS[name])) for name in asked.outputs}
            values = await while_connected(request, self._outputs(request, model, heads, asked, key))
        body = await asyncio.to_thread(answer_predict, asked, values)
        headers = {FINGERPRINT_HEADER: ", ".join(head.encoder.fingerprint for head in heads.values())}
        return Response(body, media_type="application/json", headers=headers)

    async def _outputs(
        self,
        request: Request,
        model: ServedModel,
        heads: Mapping[str, ServedModel],
        asked: PredictRequest,
        key: ApiKey | None,
    ) -> dict[str, list[np.ndarray]]:
        """Of each output, an array a text. A key pays for each, before any is encoded, or for none."""
        deadline = model.deadline()
        tokens = await model.tokens(asked.texts, truncate=True)
        record_of(request).tokens = count = all_tokens(tokens)
        if "sequence_output" in heads:
            check_size(count, heads["sequence_output"].encoder.dimension)
        for head in heads.values():
            head.admit(tokens)
        self._key_limits.take_tokens(key, count * len(heads))
        values: dict[str, list[np.ndarray]] = {}
        for name, head in heads.items():
            distinct = await head.encode(tokens, deadline)
            values[name] = [distinct[row] for row in tokens.row]
        return values

    async def _list_models(self, request: Request) -> Response:
        self._who(request)
        data = [_described(model) for model in self._models.values()]
        return _json({"object": "list", "data": data})

    async def _tell_model(self, request: Request) -> Response:
        self._who(request)
        return _json(_described(self._model(request, request.path_params["name"])))

    def _model(self, request: Request, name: str) -> ServedModel:
        model = self._models.get(name)
        record_of(request).model = name if model else "other"
        if model is None:
            told = f"The model '{cut(name)}' does not exist here."
            raise ApiError(404, told, code="model_not_found", param="model")
        return model

    def _who(self, request: Request) -> ApiKey | None:
        if self._keys is None:
            return None
        if problem := self._keys.reload():
            log.warning("the API keys stay as they were: %s", problem)
        key = authenticate(self._keys.keys, request.headers.get("authorization"))
        record_of(request).key = key.name
        return key


def _described(model: ServedModel) -> dict[str, object]:
    """An entry of the list of models: what decides its vectors, beside the weights that the fingerprint tells, and what
    computes them."""
    encoder = model.encoder
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "encorpus",
        "fingerprint": encoder.fingerprint,
        "dimension": encoder.dimension,
        "max_tokens": encoder.tokenize.max_tokens,
        "pooling": encoder.resolved.pooling,
        "layers": sorted(encoder.resolved.spec.layers),
        "normalize": encoder.resolved.normalize,
        "precision": encoder.resolved.spec.precision,
        "runtime": encoder.runtime,
    }


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def _refusal(request: Request, error: ApiError, headers: Mapping[str, str] | None = None) -> Response:
    """In the shape that the path's clients know."""
    more = {"retry-after": str(error.retry_after)} if error.retry_after else {}
    if error.status == 401:
        more["www-authenticate"] = "Bearer"
    body = error.tensorflow_body if request.url.path.endswith(":predict") else error.openai_body
    return Response(body, error.status, {**(headers or {}), **more}, media_type="application/json")


async def _not_found(request: Request, error: Exception) -> Response:
    told = f"Unknown request URL: {request.method} {cut(request.url.path)}."
    return _refusal(request, ApiError(404, told, code="unknown_url"))


async def _only_post(request: Request) -> Response:
    """Of a path that is a model's, too, as far as a name may have a colon."""
    raise HTTPException(405, headers={"allow": "POST"})


async def _not_allowed(request: Request, error: Exception) -> Response:
    told = f"Not allowed here: {request.method} {cut(request.url.path)}."
    allowed = error.headers if isinstance(error, HTTPException) else None
    return _refusal(request, ApiError(405, told, code="method_not_supported"), allowed)
