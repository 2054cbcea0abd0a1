"""POST /v1/models/NAME:predict: TensorFlow Serving's REST shape, by rows (`instances`) or by columns (`inputs`).

https://www.tensorflow.org/tfx/serving/api_rest. The one input is a string: a JSON string, {"b64": …} of its UTF-8, or
either as the only value of an object, under any name. `outputs` is an addition: which of the encoder API's outputs to
give, `pooled_output` unless told. Texts are cut to the model's length, as its preprocessor does.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from serving.http.api_error import ApiError, cut
from serving.http.openai_api import MOST_INPUTS, json_object, kind_of

# By the encoder API's names, the poolings that give them as they are.
OUTPUTS = {"pooled_output": "pooled", "sequence_output": "sequence"}

# Numbers in an answer: forty megabytes of JSON, and a second to write them.
MOST_NUMBERS = 1 << 22

FIELDS = ("signature_name", "instances", "inputs", "outputs")
SIGNATURE = "serving_default"


@dataclass(frozen=True)
class PredictRequest:
    """outputs: keys of OUTPUTS. by_columns: whether the answer is, too."""

    texts: tuple[str, ...]
    outputs: tuple[str, ...]
    by_columns: bool


def parse_predict(body: bytes) -> PredictRequest:
    """The request in a body. Raises ApiError that names the field which is wrong."""
    fields = json_object(body)
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise ApiError(400, f"'{cut(unknown[0])}' is no part of a request, which may have {', '.join(FIELDS)}.")
    if fields.get("signature_name", SIGNATURE) not in (SIGNATURE, ""):
        raise ApiError(400, f"'signature_name' may be '{SIGNATURE}' alone.")
    if ("instances" in fields) == ("inputs" in fields):
        raise ApiError(400, "The request has to have either 'instances' or 'inputs'.")
    by_columns = "inputs" in fields
    items = _column(fields["inputs"]) if by_columns else fields["instances"]
    return PredictRequest(_texts(items, "inputs" if by_columns else "instances"), _outputs(fields), by_columns)


def check_size(tokens: int, width: int) -> None:
    """Raises ApiError where the states of so many tokens, each state so wide, are too much for an answer."""
    numbers = tokens * width
    if numbers > MOST_NUMBERS:
        raise ApiError(
            400,
            f"'sequence_output' would have {numbers:,} numbers, and may have {MOST_NUMBERS:,}: send fewer texts at "
            "once.",
        )


def answer_predict(request: PredictRequest, values: Mapping[str, Sequence[np.ndarray]]) -> bytes:
    """The body that answers a request. values: by output, one array a text: [dim], or [tokens, dim] of its own tokens.

    As in TensorFlow Serving, the name is left out where there is one output.
    """
    columns = {name: [np.ascontiguousarray(value, np.float32) for value in values[name]] for name in request.outputs}
    if request.by_columns:
        whole: Any = {"outputs": columns if len(columns) > 1 else columns[request.outputs[0]]}
    elif len(columns) == 1:
        whole = {"predictions": columns[request.outputs[0]]}
    else:
        rows = zip(*columns.values(), strict=True)
        whole = {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}
    return orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY)


def _column(inputs: Any) -> Any:
    """The list of values, which may be under the name of the input."""
    if isinstance(inputs, dict) and len(inputs) == 1:
        return next(iter(inputs.values()))
    return inputs


def _texts(items: Any, told: str) -> tuple[str, ...]:
    if not isinstance(items, list) or not items:
        shape = "an empty list" if items == [] else kind_of(items)
        raise ApiError(400, f"'{told}' has to be a list of strings, and is {shape}.")
    if len(items) > MOST_INPUTS:
        raise ApiError(400, f"'{told}' has {len(items):,} items, and may have {MOST_INPUTS:,}: send them in parts.")
    return tuple(_text(item, f"{told}[{index}]") for index, item in enumerate(items))


def _text(item: Any, told: str) -> str:
    """A string, or an object of one value: {"b64": …}, or the name of the input with either."""
    if isinstance(item, dict) and len(item) == 1:
        ((name, value),) = item.items()
        if name != "b64":
            item = value
    if isinstance(item, dict) and item.keys() == {"b64"}:
        return _decoded(item["b64"], told)
    if not isinstance(item, str):
        raise ApiError(400, f"'{told}' has to be a string, or an object with one string in it.")
    return item


def _decoded(text: Any, told: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (TypeError, ValueError, binascii.Error):
        raise ApiError(400, f"'{told}' is not the base64 of UTF-8.") from None


def _outputs(fields: Mapping[str, Any]) -> tuple[str, ...]:
    outputs = fields.get("outputs", ["pooled_output"])
    known = isinstance(outputs, list) and all(isinstance(name, str) and name in OUTPUTS for name in outputs)
    if not known or not outputs or len(set(outputs)) < len(outputs):
        raise ApiError(400, f"'outputs' has to be a list of one or more of {', '.join(OUTPUTS)}, each once.")
    return tuple(outputs)
