"""POST /v1/embeddings: the bytes of a request become an EmbeddingRequest, and vectors the bytes of an answer.

The shape is that of OpenAI's API (https://platform.openai.com/docs/api-reference/embeddings/create). `truncate` is an
addition: true cuts what is longer than the model takes, which is an error otherwise.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from serving.http.api_error import ApiError, cut

MOST_INPUTS = 2048

FIELDS = frozenset({"input", "model", "encoding_format", "dimensions", "user", "truncate"})


@dataclass(frozen=True)
class EmbeddingRequest:
    """inputs: texts, or the ids of texts without special tokens. dimensions: numbers a vector, None for all.
    in_base64: whether vectors are asked for as the base64 of little-endian float32. truncate: whether what is too long
    is cut."""

    model: str
    inputs: tuple[str, ...] | tuple[tuple[int, ...], ...]
    in_base64: bool = False
    dimensions: int | None = None
    truncate: bool = False


def parse_request(body: bytes) -> EmbeddingRequest:
    """The request in a body. Raises ApiError that names the field which is wrong."""
    fields = json_object(body)
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise _wrong(cut(unknown[0]), f"Unrecognized request argument supplied: {cut(unknown[0])}")
    return EmbeddingRequest(
        model=_model(fields),
        inputs=_inputs(fields),
        in_base64=_in_base64(fields),
        dimensions=_dimensions(fields),
        truncate=_truncate(fields),
    )


def answer(request: EmbeddingRequest, vectors: np.ndarray, tokens: int) -> bytes:
    """The body that answers a request. vectors: [n, dim]; tokens: of all inputs, special ones included."""
    rows = np.ascontiguousarray(vectors, np.dtype("<f4"))
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(row).decode() if request.in_base64 else row,
        }
        for index, row in enumerate(rows)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    whole = {"object": "list", "data": data, "model": request.model, "usage": usage}
    return orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY)


def json_object(body: bytes) -> dict[str, Any]:
    """The fields of the JSON object in a body. Raises ApiError where there is none."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"We could not parse the JSON body of your request: {error}.") from None
    if not isinstance(fields, dict):
        raise ApiError(400, f"The body of the request has to be a JSON object, and is {kind_of(fields)}.")
    return fields


def _model(fields: dict[str, Any]) -> str:
    model = fields.get("model")
    if model is None:
        raise _wrong("model", "you must provide a model parameter")
    if not isinstance(model, str):
        raise _wrong("model", f"'model' has to be a string, and is {kind_of(model)}.")
    return model


def _inputs(fields: dict[str, Any]) -> tuple[str, ...] | tuple[tuple[int, ...], ...]:
    given = fields.get("input")
    if given is None:
        raise _wrong("input", "You must provide an 'input': a string, a list of strings, or lists of token ids.")
    items: Any = [given] if isinstance(given, str) else given
    if not isinstance(items, list):
        raise _wrong("input", f"'input' has to be a string or a list, and is {kind_of(items)}.")
    if items and all(_is_integer(item) for item in items):
        items = [items]
    if not items:
        raise _wrong("input", "'input' cannot be an empty list.")
    if len(items) > MOST_INPUTS:
        raise _wrong("input", f"'input' has {len(items):,} items, and may have {MOST_INPUTS:,}: send them in parts.")
    if all(isinstance(item, str) for item in items):
        return tuple(_text(index, item) for index, item in enumerate(items))
    return tuple(_ids(index, item) for index, item in enumerate(items))


def _text(index: int, text: str) -> str:
    if not text:
        raise _wrong("input", f"'input[{index}]' cannot be an empty string.")
    return text


def _ids(index: int, item: Any) -> tuple[int, ...]:
    if not isinstance(item, list):
        raise _wrong(
            "input", f"'input[{index}]' is {kind_of(item)}: the items have to be all strings or all lists of token ids."
        )
    if not item:
        raise _wrong("input", f"'input[{index}]' cannot be an empty list.")
    if not all(_is_integer(id_) and 0 <= id_ < 1 << 31 for id_ in item):
        raise _wrong("input", f"'input[{index}]' has to be a list of token ids, which are integers from 0 on.")
    return tuple(item)


def _in_base64(fields: dict[str, Any]) -> bool:
    form = fields.get("encoding_format")
    if form is not None and (not isinstance(form, str) or form not in ("float", "base64")):
        told = f"'{cut(form)}'" if isinstance(form, str) else kind_of(form)
        raise _wrong("encoding_format", f"'encoding_format' is {told}, and may be 'float' or 'base64'.")
    return form == "base64"


def _dimensions(fields: dict[str, Any]) -> int | None:
    dimensions = fields.get("dimensions")
    if dimensions is not None and not (_is_integer(dimensions) and dimensions >= 1):
        raise _wrong("dimensions", "'dimensions' has to be an integer from 1 on.")
    return dimensions


def _truncate(fields: dict[str, Any]) -> bool:
    truncate = fields.get("truncate", False)
    if not isinstance(truncate, bool):
        raise _wrong("truncate", "'truncate' has to be true or false.")
    return truncate


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    names: Sequence[tuple[type, str]] = ((bool, "a boolean"), (int, "a number"), (float, "a number"), (str, "a string"))
    if value is None:
        return "null"
    return next(
        (name for kind, name in names if isinstance(value, kind)), "a list" if isinstance(value, list) else "an object"
    )


def _wrong(param: str, message: str) -> ApiError:
    return ApiError(400, message, param=param)
