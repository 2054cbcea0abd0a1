"""What must not travel with a job, whose command line stands in the dashboard, in logs and in lists of processes."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pipelines.errors import UsageError

SECRET = re.compile(
    r"secret|password|passwd|passphrase|token|credential|signature|auth|cookie|connectionstring|sas|key|^sig$"
)

# An id of a key opens nothing.
HARMLESS = re.compile(r"(key|token)(id|name)$")

# What gcsfs and others take for a token that says where to find one.
NO_TOKENS = ("", "anon", "cloud", "google_default")

ADVICE = "let the cluster's nodes have credentials of their own (docs/submit.md)"


def require_no_secrets(options: Mapping[str, Any], places: Sequence[str]) -> None:
    """Raises UsageError that names the first storage option or URI that seems to hold a secret, without its value."""
    for name in secret_names(options):
        raise UsageError(
            f"--storage-option {name} seems to be a secret, which everybody would see in Ray's dashboard; {ADVICE}"
        )
    for place in places:
        if _opens(place):
            shown = place.partition("?")[0].rpartition("@")[2]
            raise UsageError(
                f"…{shown}: the URL holds a secret, which everybody would see in Ray's dashboard; {ADVICE}"
            )


def secret_names(options: Mapping[str, Any]) -> Iterator[str]:
    """The options that seem to hold secrets, by their names or by their values' form; those of tables too."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in secret_names(value))
        elif isinstance(value, str | list) and (_named_secret(name, value) or _opens(json.dumps(value).strip('"'))):
            yield name


def _named_secret(name: str, value: str | list[Any]) -> bool:
    plain = re.sub(r"[^a-z]", "", name.lower())
    return bool(SECRET.search(plain)) and not HARMLESS.search(plain) and value not in NO_TOKENS


def _opens(text: str) -> bool:
    """Whether it is a URL with a password, or one that is signed; or holds one, as fsspec chains them."""
    return any(map(_opens_by_itself, text.split("::")))


def _opens_by_itself(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    if not parts.scheme:
        return False
    # In abfs://container@account the first part is no user.
    user = parts.scheme in ("http", "https") and parts.username is not None
    return (
        user or parts.password is not None or any(_named_secret(name, value) for name, value in parse_qsl(parts.query))
    )
