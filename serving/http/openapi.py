"""The OpenAPI document of what is served: every request that is taken, every status and body that can come."""

from collections.abc import Mapping
from typing import Any, Protocol

from serving.http.openai_api import MOST_INPUTS
from serving.http.tensorflow_api import OUTPUTS, SIGNATURE

EMBEDDINGS = "/v1/embeddings"
MODELS = "/v1/models"
MODEL = "/v1/models/{name:path}"
PREDICT = "/v1/models/{name:path}:predict"
HEALTH, READY, METRICS, OPENAPI = "/health", "/ready", "/metrics", "/openapi.json"

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBERS: Schema = {"type": "array", "items": {"type": "number"}}
BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


class Described(Protocol):
    """What the document tells of a model's encoder."""

    @property
    def dimension(self) -> int: ...


def openapi(encoders: Mapping[str, Described], with_keys: bool) -> Schema:
    """The document. encoders: by the names of their models. with_keys: whether API keys are asked for."""
    names = sorted(encoders)
    dimensions = sorted({encoder.dimension for encoder in encoders.values()})
    document: Schema = {
        "openapi": "3.1.0",
        "info": {"title": "encorpus", "version": "1", "description": "Embeddings of texts."},
        "paths": {
            EMBEDDINGS: {"post": _embeddings(names, dimensions, with_keys)},
            MODELS: {"get": _list_models(with_keys)},
            MODEL.replace(":path}", "}"): {"get": _tell_model(names, with_keys)},
            PREDICT.replace(":path}", "}"): {"post": _predict(names, with_keys)},
            HEALTH: {"get": _probe("Whether every model answers.", "ok", "failing", {"models": _texts_by_name()})},
            READY: {"get": _probe("Whether requests are taken.", "ready", "stopping", {})},
            METRICS: {
                "get": {
                    "summary": "Counters of all replicas, for Prometheus.",
                    "responses": {"200": {"description": "Metrics.", "content": {"text/plain": {"schema": STRING}}}},
                }
            },
            OPENAPI: {"get": {"summary": "This document.", "responses": {"200": _json("It.", {"type": "object"})}}},
        },
    }
    if with_keys:
        document["components"] = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}
    return document


def _embeddings(names: list[str], dimensions: list[int], with_keys: bool) -> Schema:
    text: Schema = {"type": "string", "minLength": 1}
    ids: Schema = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0, "maximum": (1 << 31) - 1}}
    many: Schema = {"type": "array", "minItems": 1, "maxItems": MOST_INPUTS}
    inputs = [text, many | {"items": text}, ids, many | {"items": ids}]
    request = _object(
        {
            "model": {"type": "string", "enum": names},
            "input": {"anyOf": inputs, "description": "Texts, or the token ids of texts without special ones."},
            "encoding_format": {"enum": ["float", "base64", None]},
            "dimensions": {"enum": [*dimensions, None], "description": "The model's own number."},
            "user": {},
            "truncate": {"type": "boolean", "description": "Whether longer texts are cut, and not refused."},
        },
        required=("model", "input"),
    )
    row = _object(
        {
            "object": {"const": "embedding"},
            "index": COUNT,
            "embedding": {"anyOf": [NUMBERS, {"type": "string", "contentEncoding": "base64"}]},
        }
    )
    usage = _object({"prompt_tokens": COUNT, "total_tokens": COUNT})
    answer = _object(
        {"object": {"const": "list"}, "data": {"type": "array", "items": row}, "model": STRING, "usage": usage}
    )
    refusals = (400, 404, 408, 413, 415, 429, 500, 503)
    return _operation("Vectors of texts.", request, answer, refusals, _openai_error(), with_keys)


def _predict(names: list[str], with_keys: bool) -> Schema:
    encoded = _object({"b64": {"type": "string", "contentEncoding": "base64", "pattern": BASE64}})
    one: Schema = {"anyOf": [STRING, encoded, _single(STRING), _single(encoded)]}
    column: Schema = {"type": "array", "minItems": 1, "maxItems": MOST_INPUTS, "items": one}
    choice: Schema = {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"enum": list(OUTPUTS)},
        "default": ["pooled_output"],
    }
    options = {"signature_name": {"enum": [SIGNATURE, ""]}, "outputs": choice}
    request = {
        "oneOf": [
            _object({"instances": column, **options}, required=("instances",)),
            _object({"inputs": {"anyOf": [column, _single(column)]}, **options}, required=("inputs",)),
        ]
    }
    states = {"type": "array", "items": NUMBERS}
    rows = {"anyOf": [NUMBERS, states, _object({"pooled_output": NUMBERS, "sequence_output": states})]}
    both = _object({"pooled_output": states, "sequence_output": {"type": "array", "items": states}})
    columns = {"anyOf": [states, {"type": "array", "items": states}, both]}
    answer = {"oneOf": [_object({"predictions": {"type": "array", "items": rows}}), _object({"outputs": columns})]}
    refusals = (400, 404, 408, 413, 415, 429, 500, 503)
    operation = _operation(
        "Outputs of the encoder, as TensorFlow Serving gives them.",
        request,
        answer,
        refusals,
        _object({"error": STRING}),
        with_keys,
    )
    return {**operation, "parameters": [_name(names)]}


def _list_models(with_keys: bool) -> Schema:
    answer = _object({"object": {"const": "list"}, "data": {"type": "array", "items": _model()}})
    return _operation("The models.", None, answer, (), _openai_error(), with_keys)


def _tell_model(names: list[str], with_keys: bool) -> Schema:
    operation = _operation("A model.", None, _model(), (404,), _openai_error(), with_keys)
    return {**operation, "parameters": [_name(names)]}


def _name(names: list[str]) -> Schema:
    return {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "enum": names}}


def _model() -> Schema:
    return _object(
        {
            "id": STRING,
            "object": {"const": "model"},
            "created": COUNT,
            "owned_by": STRING,
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "dimension": COUNT,
            "max_tokens": COUNT,
            "pooling": STRING,
            "layers": {"type": "array", "items": {"type": "integer"}},
            "normalize": {"type": "boolean"},
            "precision": STRING,
            "runtime": STRING,
        }
    )


def _operation(
    summary: str, request: Schema | None, answer: Schema, refusals: tuple[int, ...], error: Schema, with_keys: bool
) -> Schema:
    statuses = (401, *refusals) if with_keys else refusals
    operation: Schema = {
        "summary": summary,
        "responses": {
            "200": _json("The answer.", answer),
            **{str(status): _refusal(status, error) for status in statuses},
        },
    }
    if request is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": request}}}
    if with_keys:
        operation["security"] = [{"key": []}]
    return operation


def _refusal(status: int, error: Schema) -> Schema:
    told = {
        400: "The request is wrong.",
        401: "There is no API key, or a wrong one.",
        404: "There is no such model.",
        408: "The body did not come in time.",
        413: "The body is too long.",
        415: "The body is compressed, or no JSON.",
        429: "Too much at once.",
        500: "The server had an error.",
        503: "Not answered in time, or the server is stopping.",
    }
    refusal = _json(told[status], error)
    if status in (429, 503):
        refusal["headers"] = {"retry-after": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
    return refusal


def _probe(summary: str, well: str, ill: str, more: Mapping[str, Schema]) -> Schema:
    return {
        "summary": summary,
        "responses": {
            "200": _json("Yes.", _object({"status": {"const": well}})),
            "503": _json("No.", _object({"status": {"const": ill}, **more})),
        },
    }


def _openai_error() -> Schema:
    text_or_null: Schema = {"type": ["string", "null"]}
    told = _object({"message": STRING, "type": STRING, "param": text_or_null, "code": text_or_null})
    return _object({"error": told})


def _object(properties: Mapping[str, Schema], required: tuple[str, ...] | None = None) -> Schema:
    """An object of these properties and no others. required: None for all."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


def _single(value: Schema) -> Schema:
    """An object with one value, under any name."""
    return {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": value}


def _texts_by_name() -> Schema:
    return {"type": "object", "additionalProperties": STRING}


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
