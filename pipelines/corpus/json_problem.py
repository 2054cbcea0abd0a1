"""Why a line is no JSON, in the words of whoever wrote it.

Without the place of the error, so that equal reasons can be counted.
"""

import codecs
import re

import orjson

from pipelines.corpus.rows import INVALID_UTF8

LONE_SURROGATE = "a lone surrogate (\\ud800 to \\udfff) is not a character"
CUT_OFF = "the line ends inside the JSON"
NO_JSON = "the line is no JSON at all"
TWO_VALUES = "something follows the JSON in its line"
# What stands where a value or key should, and what to say of it; else orjson's own words.
INSTEAD = (
    (re.compile(r"-?(?i:nan|inf|infinity)\b"), "NaN and Infinity are no JSON numbers"),
    (re.compile(r"(None|True|False)\b"), "None, True and False are Python, not JSON"),
    (re.compile(r"'"), "strings must stand in double quotes"),
    (re.compile(r"//|/\*|#"), "comments are not JSON"),
    (re.compile(r"[A-Za-z_$]+\s*:"), "keys must stand in double quotes"),
)


def json_problem(content: bytes, error: orjson.JSONDecodeError) -> str:
    """The reason of a reject, for a line that orjson did not take."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return INVALID_UTF8
    return f"invalid JSON: {_what(content, text, error)}"


def _what(content: bytes, text: str, error: orjson.JSONDecodeError) -> str:
    if not content.strip(b"\0\r"):
        return "the line is nothing but NUL bytes"
    if content.startswith(codecs.BOM_UTF8):
        return "a byte order mark inside the file"
    if "surrogate" in error.msg:
        return LONE_SURROGATE
    if "unexpected end" in error.msg:
        return CUT_OFF
    rest = text[error.pos :].lstrip()
    if instead := next((what for sign, what in INSTEAD if sign.match(rest)), None):
        return instead
    if rest == text.lstrip():
        return NO_JSON
    return TWO_VALUES if "after document" in error.msg else error.msg
