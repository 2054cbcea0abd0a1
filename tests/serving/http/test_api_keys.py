"""API keys: which file is one, who is let in, and what changes without a restart."""

import hashlib
import os
from pathlib import Path

import pytest

from pipelines.errors import UsageError
from serving.http import api_keys
from serving.http.api_error import ApiError
from serving.http.api_keys import ApiKey, KeyFile, authenticate, parse_keys


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


KEYS = (ApiKey("a", sha256("key a")), ApiKey("b", sha256("key b")))


def table(name: str, key: str, more: str = "") -> str:
    return f'[keys.{name}]\nsha256 = "{sha256(key)}"\n{more}\n'


def test_a_key_may_have_limits():
    (key,) = parse_keys(table("a", "key a", "tokens_per_minute = 5\nrequests_per_minute = 7"), "file")
    assert key == ApiKey("a", sha256("key a"), tokens_per_minute=5, requests_per_minute=7)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "one table [keys.NAME] for each key"),
        ("keys = 3", "one table [keys.NAME] for each key"),
        ("[keys]", "one table [keys.NAME] for each key"),
        (table("a", "key") + "[more]", "and nothing else"),
        ("[keys.a", "no TOML"),
        ('[keys.a]\nsha256 = "abc"', "[keys.a]: sha256 has to be 64 hexadecimal digits"),
        (f"[keys.a]\nsha256 = {'1' * 64}", "[keys.a]: sha256 has to be 64 hexadecimal digits"),
        ("[keys.a]", "[keys.a]: sha256 has to be 64 hexadecimal digits"),
        (table("a", "key", "limit = 3"), "[keys.a]: unknown entry 'limit'"),
        (table("a", "key", "tokens_per_minute = 0"), "[keys.a]: tokens_per_minute has to be an integer from 1 on"),
        (table("a", "key", "requests_per_minute = true"), "requests_per_minute has to be an integer"),
        (table("a", "key") + table("b", "key"), "two keys have the same sha256"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(text, told):
    with pytest.raises(UsageError) as refused:
        parse_keys(text, "keys.toml")
    assert str(refused.value).startswith("keys.toml: ")
    assert told in str(refused.value)


@pytest.mark.parametrize("header", ["Bearer key b", "bearer key b", "Bearer  key b "])
def test_a_key_says_whose_request_it_is(header):
    assert authenticate(KEYS, header).name == "b"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic key b", "key b"])
def test_a_request_without_a_key_is_refused(header):
    with pytest.raises(ApiError, match="didn't provide an API key") as refused:
        authenticate(KEYS, header)
    assert refused.value.status == 401


@pytest.mark.parametrize("key", ["key c", sha256("key b"), "key bb", "schlüssel", "\udcff"])
def test_a_wrong_key_is_refused_and_not_repeated(key):
    with pytest.raises(ApiError, match=r"^Incorrect API key provided\.$") as refused:
        authenticate(KEYS, f"Bearer {key}")
    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")


def test_the_file_is_read_again_when_it_changes(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(table("a", "key a"))
    file = KeyFile(path)
    replace_file(path, table("b", "key b"))
    assert file.reload() is None
    assert [key.name for key in file.keys] == ["b"]


@pytest.mark.parametrize("text", ["broken", None], ids=["broken", "gone"])
def test_a_file_that_is_broken_later_leaves_the_keys_as_they_were(tmp_path, text):
    path = tmp_path / "keys.toml"
    path.write_text(table("a", "key a"))
    file = KeyFile(path)
    if text is None:
        path.unlink()
    else:
        replace_file(path, text)
    assert "keys.toml" in str(file.reload())
    # It is looked at with every request, and told once.
    assert file.reload() is None
    assert [key.name for key in file.keys] == ["a"]


def test_a_broken_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    path = tmp_path / "keys.toml"
    path.write_text(table("a", "key a"))
    file = KeyFile(path)
    replace_file(path, "broken")
    file.reload()
    monkeypatch.setattr(api_keys, "parse_keys", None)
    assert file.reload() is None


def test_a_file_that_is_gone_again_is_told_again(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(table("a", "key a"))
    file = KeyFile(path)
    away = tmp_path / "away"
    told = []
    for start, end in ((path, away), (away, path), (path, away)):
        start.rename(end)
        told.append(file.reload() is not None)
    assert told == [True, False, True]


@pytest.mark.parametrize("content", [None, b"\xff"], ids=["missing", "not UTF-8"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "keys.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"keys\.toml: cannot read the API keys"):
        KeyFile(path)


def replace_file(path: Path, text: str) -> None:
    """The time of change is set, since two writes may come within one tick of it."""
    path.write_text(text)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))
