"""What the words after an option mean: each function makes the plain value, or says why it cannot.

They raise ArgumentTypeError, to which argparse adds the option's name.
"""

import argparse
import json
import math
import re
from urllib.parse import urlsplit

from cluster.jobs.api_url import DEFAULT_URL

# Beyond what anything has, and within what can be multiplied and divided.
MOST_DIGITS = 15
LEAST = 1e-12

MODEL_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def count(text: str) -> int:
    """Rows, tokens, hits: a whole number from 1."""
    whole = text.isascii() and text.isdecimal()
    if whole and len(text) > MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"{text[:MOST_DIGITS]}… is too large: it has more than {MOST_DIGITS} digits")
    if not whole or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def count_from_0(text: str) -> int:
    """What may also be none: a whole number from 0."""
    return 0 if text == "0" else count(text)


def integers(text: str) -> tuple[int, ...]:
    """Indexes, negative ones too."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 0,-1") from None


def column_names(text: str) -> tuple[str, ...]:
    """Names of columns, with commas between them."""
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of column names such as title,url")
    return names


def storage_pair(text: str) -> tuple[str, object]:
    """A storage option: text, but for true, false, and objects in JSON such as client_kwargs={"verify": false}."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    if value not in ("true", "false") and not value.startswith("{"):
        return key, value
    try:
        return key, json.loads(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: not valid JSON: {error}") from None


def input_place(text: str) -> str:
    """A path or URI, which is never empty."""
    if not text:
        raise argparse.ArgumentTypeError("an empty path; is a variable of the shell not set?")
    return text


def non_negative(text: str) -> float:
    """A finite number from 0, such as a part of a GPU or a price."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return number


def positive(text: str) -> float:
    """A finite number above 0, such as hours or a rate."""
    number = non_negative(text)
    if number < LEAST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def counts(text: str) -> tuple[int, ...]:
    """Whole numbers from 1, with commas between them."""
    return tuple(count(part.strip()) for part in text.split(","))


def share(text: str) -> float:
    """A part of a whole, which is never all of it: from 0 to below 1."""
    number = non_negative(text)
    if number >= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: from 0 to below 1, such as 0.05")
    return number


def named_model(text: str) -> tuple[str | None, str]:
    """[NAME=]HANDLE, as name and handle. A handle may hold an equals sign after a slash or a colon."""
    name, equals, handle = text.partition("=")
    if not equals or "/" in name or ":" in name:
        name, handle = "", text
    if name and not MODEL_NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{name!r} is no name for a model: letters, digits, and -._ between them")
    if not handle:
        raise argparse.ArgumentTypeError(f"{text!r} names no model")
    return name or None, handle


def port(text: str) -> int:
    """A TCP port."""
    number = count(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: they end at 65535")
    return number


def replicas(text: str) -> tuple[int, int]:
    """N or MIN:MAX, as `workers`, where MIN may be 0."""
    least, colon, most = text.partition(":")
    return (0, count(most)) if colon and least == "0" else workers(text)


def workers(text: str) -> tuple[int, int]:
    """N or MIN:MAX, as the least and the most."""
    least, colon, most = text.partition(":")
    bounds = count(least), count(most if colon else least)
    if bounds[0] > bounds[1]:
        raise argparse.ArgumentTypeError(f"{text!r}: MIN is above MAX")
    return bounds


def cluster_url(text: str) -> str:
    """Where a cluster's Jobs API answers; http:// unless it says https://."""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
    except ValueError:  # of an IPv6 address
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise argparse.ArgumentTypeError(f"{text!r} is not the URL of a Jobs API, such as {DEFAULT_URL}")
    if "@" in parts.netloc:
        raise argparse.ArgumentTypeError("no user or password here; a token comes from RAY_AUTH_TOKEN_PATH")
    return url.rstrip("/")
