"""The TOML file of `--config`: any option under its own name."""

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path

from cluster.serve_arguments import Several
from pipelines.errors import UsageError


def read_config(path: str) -> dict[str, object]:
    """What the file says."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path}: not a TOML file: {error}") from None


def defaults_of(
    given: Mapping[str, object], where: str, command: str, commands: Mapping[str, argparse.ArgumentParser]
) -> dict[str, object]:
    """Options under their names as argparse defaults, converted as on the command line. where: what errors call them.

    A file for `embed` serves `plan`, `submit` and `doctor` too, which pass over the options that they have no use for.
    """
    options = _options(commands[command])
    known = _options(commands["embed"]) if command in ("plan", "submit", "doctor") else {}
    defaults: dict[str, object] = {}
    for name, value in given.items():
        key = name.replace("-", "_")
        if key == "config" or key not in options | known:
            raise UsageError(f"{where}: no option {name!r}; see `encorpus {command} --help`")
        if key in options:
            defaults[key] = _value(f"{where}: {name}", value, options[key])
    return defaults


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {action.dest: action for action in parser._actions if action.option_strings and action.dest != "help"}


def _value(where: str, value: object, action: argparse.Action) -> object:
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"{where} is true or false, not {value!r}")
        return value
    if action.dest == "storage_option":
        if not isinstance(value, dict):
            raise UsageError(f"{where} is a table, such as anon = true below [{action.option_strings[0][2:]}]")
        return list(value.items())
    if isinstance(action, Several):
        several = value if isinstance(value, list) else [value]
        return [_typed(where, one, action) for one in several]
    return _typed(where, value, action)


def _typed(where: str, value: object, action: argparse.Action) -> object:
    if value == []:
        return action.default
    text = value if action.type is None else _as_on_the_command_line(value)
    if not isinstance(text, str):
        raise UsageError(f"{where} cannot be {value!r}")
    if action.choices is not None and text not in action.choices:
        raise UsageError(f"{where} = {text!r}: one of {', '.join(action.choices)}")
    try:
        return action.type(text) if callable(action.type) else text
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{where}: {error}") from None


def _as_on_the_command_line(value: object) -> str | None:
    """The value's text, a list joined by commas; None for what no text stands for."""
    several = value if isinstance(value, list) else [value]
    if any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in several):
        return None
    if isinstance(value, list) and any("," in str(one) for one in several):
        return None
    return ",".join(map(str, several))
