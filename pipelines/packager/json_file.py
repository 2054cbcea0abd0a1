"""Reads the JSON files that come with a checkpoint."""

import json
from pathlib import Path
from typing import Any

from pipelines.errors import UsageError


def read_json(path: Path) -> Any:
    """The file's value; UsageError when it cannot be read or is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """The file's object; UsageError when it holds anything else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise UsageError(f"{path} is not a JSON object")
    return value
