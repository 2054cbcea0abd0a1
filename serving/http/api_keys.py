"""API keys: a TOML file of their SHA-256 sums, read again when it changes; who asks, and how much each may ask for.

    [keys.search-team]
    sha256 = "9f86d081884c7d65…"        # printf %s "$KEY" | sha256sum
    tokens_per_minute = 600_000         # may be left out: no limit
    requests_per_minute = 1_000         # may be left out: no limit

Keys are random and long, so that a plain sum is enough. All are compared, each in constant time.
"""

import hashlib
import hmac
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import UsageError
from serving.http.api_error import ApiError

SHA256 = re.compile(r"[0-9a-f]{64}")
LIMITS = ("tokens_per_minute", "requests_per_minute")


@dataclass(frozen=True)
class ApiKey:
    """name: for logs and metrics, where the key itself never is. The limits are None where there are none."""

    name: str
    sha256: str
    tokens_per_minute: int | None = None
    requests_per_minute: int | None = None


def parse_keys(text: str, told: str) -> tuple[ApiKey, ...]:
    """The keys of a file's text. told: what errors call the file. Raises UsageError that says what is wrong in it."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{told}: no TOML: {error}") from None
    keys = tables.pop("keys", None)
    if tables or not isinstance(keys, dict) or not keys:
        raise UsageError(f"{told}: it has to hold one table [keys.NAME] for each key, and nothing else")
    parsed = tuple(_key(name, table, told) for name, table in keys.items())
    if len({key.sha256 for key in parsed}) < len(parsed):
        raise UsageError(f"{told}: two keys have the same sha256")
    return parsed


def _key(name: str, table: Any, told: str) -> ApiKey:
    where = f"{told}: [keys.{name}]"
    sha256 = table.get("sha256") if isinstance(table, dict) else None
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise UsageError(f'{where}: sha256 has to be 64 hexadecimal digits, as printf %s "$KEY" | sha256sum gives them')
    for limit, value in table.items():
        if limit not in ("sha256", *LIMITS):
            raise UsageError(f"{where}: unknown entry '{limit}'; known are sha256, {' and '.join(LIMITS)}")
        if limit != "sha256" and (type(value) is not int or value < 1):
            raise UsageError(f"{where}: {limit} has to be an integer from 1 on")
    return ApiKey(name, **table)


class KeyFile:
    """The keys of a file, as it is at the moment."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError when there is no such file, or it holds no keys."""
        self._path = path
        self._changed: int | None = None
        self._told: str | None = None
        self.keys: tuple[ApiKey, ...] = ()
        if problem := self.reload():
            raise UsageError(problem)

    def reload(self) -> str | None:
        """Reads the file again if it has changed, or could not be read. What is wrong with it then, told once; the keys
        stay as they were."""
        told = self._told
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._changed:
                content = self._path.read_bytes()
                self._changed, self._told = changed, None
                self.keys = parse_keys(content.decode(), str(self._path))
        except OSError as error:
            self._changed, self._told = None, f"{self._path}: cannot read the API keys: {error}"
        except UnicodeDecodeError as error:
            self._told = f"{self._path}: cannot read the API keys: {error}"
        except UsageError as error:
            self._told = str(error)
        return self._told if self._told != told else None


class FixedKeys:
    """Keys that stay as they are."""

    def __init__(self, keys: tuple[ApiKey, ...]) -> None:
        self.keys = keys

    def reload(self) -> str | None:
        """As KeyFile.reload, though nothing ever changes."""
        return None


def keys_of_environment(text: str) -> tuple[ApiKey, ...]:
    """The keys of a variable, with commas between them; named by their places, from key-1 on."""
    given = [key.strip() for key in text.split(",") if key.strip()]
    return tuple(ApiKey(f"key-{place}", hashlib.sha256(key.encode()).hexdigest()) for place, key in enumerate(given, 1))


def authenticate(keys: tuple[ApiKey, ...], authorization: str | None) -> ApiKey:
    """Whose request it is, by its Authorization header. Raises ApiError where it is nobody's."""
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise ApiError(
            401, "You didn't provide an API key. Send it in a header: Authorization: Bearer YOUR_KEY", code=None
        )
    digest = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).hexdigest()
    found = [key for key in keys if hmac.compare_digest(key.sha256, digest)]
    if not found:
        raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
    return found[0]
