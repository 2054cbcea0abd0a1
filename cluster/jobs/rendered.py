"""Parsed options, wherever they came from, as the words of a command line that means the same."""

import argparse
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from cluster.option_types import storage_pair, workers
from pipelines.errors import UsageError


def rendered(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> tuple[str, ...]:
    """The words after the command's name; parsed again they give these values, without any configuration file.

    Raises UsageError for a storage option that no command line can say, such as a number, which a TOML file can.
    """
    options: list[str] = []
    places: list[str] = []
    for action in parser._actions:
        if action.dest in ("help", "config"):
            continue
        value = getattr(arguments, action.dest)
        if not action.option_strings:
            places += value
        elif value != action.default:
            options += _words(action, value)
    return (*options, "--", *places)


def _words(action: argparse.Action, value: Any) -> Iterator[str]:
    names = [name for name in action.option_strings if name.startswith("--")]
    if action.nargs == 0:
        yield names[0] if value else names[1]
    elif action.type is storage_pair:
        yield from (f"{names[0]}={_pair_text(*pair)}" for pair in value)
    elif isinstance(value, tuple):
        yield f"{names[0]}={(':' if action.type is workers else ',').join(map(str, value))}"
    else:
        yield f"{names[0]}={value}"


def _pair_text(key: str, value: Any) -> str:
    text = f"{key}={value if isinstance(value, str) else json.dumps(value, default=str)}"
    with suppress(argparse.ArgumentTypeError):
        if storage_pair(text) == (key, value):
            return text
    raise UsageError(
        f"--storage-option {key}: this value cannot travel with a job; a text, true, false or a table can, "
        f"or set FSSPEC_<PROTOCOL>_{key.upper()} in the environment of the cluster's nodes"
    )
