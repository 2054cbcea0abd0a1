"""How a model is meant to be used: the `encorpus.json` beside its assets."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pipelines.errors import ModelError

POOLINGS = ("pooled", "cls", "mean", "max", "sequence")
LEAST_TOKENS = 3  # [CLS], [SEP] and one of the text

RECOMMENDATION_FILE = "encorpus.json"


@dataclass(frozen=True)
class Recommendation:
    """What the file says; None where it says nothing.

    preprocessor: the companion's folder inside the model's. layers: how many encoder_outputs the model gives.
    """

    preprocessor: str | None = None
    pooling: str | None = None
    normalize: bool | None = None
    max_tokens: int | None = None
    layers: int | None = None


def recommendation(model_folder: Path) -> Recommendation:
    """Reads the file beside a model; without one, nothing is recommended.

    Raises ModelError when the file is no JSON object, or says something that cannot be.
    """
    path = model_folder / RECOMMENDATION_FILE
    if not path.is_file():
        return Recommendation()
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as JSON ({error}); mend or remove it") from None
    if not isinstance(said, dict):
        raise ModelError(f"{path}: not a JSON object; mend or remove it")
    known = {field.name: said[field.name] for field in fields(Recommendation) if said.get(field.name) is not None}
    for name, value in known.items():
        holds, wanted = _RULES[name]
        if not holds(value):
            raise ModelError(f"{path}: {name} is {json.dumps(value)} where {wanted} is needed; mend or remove it")
    return Recommendation(**known)


def _is_count(least: int) -> Callable[[Any], bool]:
    # JSON's true is no number, though Python's True is one.
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "preprocessor": (lambda value: isinstance(value, str) and value != "", "the name of a folder"),
    "pooling": (lambda value: value in POOLINGS, f"one of {', '.join(POOLINGS)}"),
    "normalize": (lambda value: isinstance(value, bool), "true or false"),
    "max_tokens": (_is_count(LEAST_TOKENS), f"a number from {LEAST_TOKENS}"),
    "layers": (_is_count(0), "a number"),
}
