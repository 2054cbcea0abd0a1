"""JSON Lines: a line becomes a row, or a reject that says why not."""

import json
import re
from collections.abc import Mapping

import orjson

from pipelines.corpus.json_problem import json_problem
from pipelines.corpus.lines import LINE_TOO_LONG, PREFIX_BYTES, Line
from pipelines.corpus.plan_types import Columns
from pipelines.corpus.rows import RowBuilder, kept_names

# orjson makes an inexact float of an integer beyond 64 bits. Such an integer has 19 digits or more, and one of 64 bits
# no more than 20 characters.
LONG_NUMBER = re.compile(rb"[0-9]{19}")
MOST_CHARACTERS = 20
BEYOND_64_BITS = 1 << 64
TOO_LARGE = "a kept value has an integer beyond 64 bits"
TOO_DEEP = "a kept value is nested too deeply"


class BadRowError(Exception):
    """The message is the reject's reason."""


def is_blank(line: Line) -> bool:
    """Whether the line is no row at all."""
    return not line.content or line.content.isspace()


def add_json_line(builder: RowBuilder, line: Line, columns: Columns) -> None:
    """Adds the line's row to the builder: one row or one reject."""
    shown = line.content[:PREFIX_BYTES].decode("utf-8", "replace")
    row_id = None
    try:
        record = parse_object(line)
        text = record.get(columns.text)
        shown = text if isinstance(text, str) else shown
        row_id = None if columns.id is None else _id_of(record, columns.id)
        if not isinstance(text, str):
            raise BadRowError(_why_no_text(record, columns.text))
        kept = _kept_values(line, record, dict(zip(kept_names(columns), builder.from_path, strict=True)))
    except BadRowError as reason:
        builder.reject(line.offset, str(reason), shown, row_id)
    else:
        builder.add(line.offset, text, row_id, kept)


def parse_object(line: Line) -> dict[str, object]:
    """The line's JSON object. Raises BadRowError."""
    if not line.whole:
        raise BadRowError(LINE_TOO_LONG)
    try:
        record = orjson.loads(line.content)
    except orjson.JSONDecodeError as error:
        raise BadRowError(json_problem(line.content, error)) from None
    if not isinstance(record, dict):
        raise BadRowError(f"JSON is {_kind(record)}, not an object")
    return record


def _why_no_text(record: dict[str, object], name: str) -> str:
    if name not in record:
        return f"no key '{name}'"
    value = record[name]
    return "text is null" if value is None else f"text is {_kind(value)}, not a string"


def _id_of(record: dict[str, object], name: str) -> str:
    """Strings as they are, integers as decimal text."""
    if name not in record:
        raise BadRowError(f"no key '{name}'")
    value = record[name]
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None:
        raise BadRowError("id is null")
    raise BadRowError(f"id is {_kind(value)}, not a string or an integer of 64 bits")


def _kept_values(line: Line, record: dict[str, object], otherwise: Mapping[str, str | None]) -> list[str | None]:
    """otherwise: the kept columns, with the values for a row that has no such key."""
    if otherwise and LONG_NUMBER.search(line.content):
        record = _with_exact_integers(line)
    return [_kept_value(record.get(name, value)) for name, value in otherwise.items()]


def _with_exact_integers(line: Line) -> dict[str, object]:
    """The line's object by a slower parser, which has integers of any length."""
    try:
        return json.loads(line.content.decode(), parse_int=_integer)
    except RecursionError:
        raise BadRowError(TOO_DEEP) from None


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= MOST_CHARACTERS else BEYOND_64_BITS


def _kept_value(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise BadRowError(TOO_LARGE if "64-bit" in str(error) else TOO_DEEP) from None


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")
