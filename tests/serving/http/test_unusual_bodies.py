"""Bodies that no client should send: each has an answer that says what is wrong, in its API's shape."""

import gzip
import json

import pytest

from serving.http.http_app import Limits, http_app
from serving.served_model import ServedModel
from tests.serving.fake_encoder import FakeEncoder, vector_of
from tests.serving.http.http_server import ask, running

GOOD = b'{"model": "small", "input": "a"}'
DEEP = b"[" * 900 + b"]" * 900


@pytest.fixture(scope="module")
def address():
    model = ServedModel("small", FakeEncoder(), most_waiting=1 << 16, batch_floor=0.1, deadline_seconds=30)
    with running(http_app({"small": model}, None, Limits(body_bytes=1 << 20))) as url:
        yield url
    model.stop()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xef\xbb\xbf" + GOOD, 400),
        (b'{"model": "small", "input": NaN}', 400),
        (b'{"model": "small", "input": [NaN]}', 400),
        (b'{"model": "small", "input": "\xff"}', 400),
        (b'{"model": "small", "input": "\\ud800"}', 400),
        (b'{"model": "small", "input": "\xed\xa0\x80"}', 400),
        (b'{"model": "small", "input": [%d]}' % 10**30, 400),
        (b'{"model": "small", "input": [%d]}' % 2**63, 400),
        (b'{"model": "small", "input": "a", "dimensions": %d}' % 10**30, 400),
        (b'{"model": "small", "input": "a", "dimensions": %d}' % 2**64, 400),
        (b'{"model": "small", "input": %s}' % DEEP, 400),
        (b'{"model": "small", "input": "a", "encoding_format": %s}' % DEEP, 400),
        (b'{"model": %s, "input": "a"}' % DEEP, 400),
        (b"[" * (1 << 19), 400),
        (b'{"model": "small", "input": "a", "%s": 1}' % (b"b" * 100_000), 400),
        (b'{"model": "%s", "input": "a"}' % (b"b" * 100_000), 404),
        (b'"' + b"a" * (1 << 20), 413),
    ],
    ids=lambda given: str(given[:60]) if isinstance(given, bytes) else None,
)
def test_a_body_that_is_no_request_is_refused_in_a_short_answer(address, body, status):
    answer = ask(f"{address}/v1/embeddings", body)
    assert (answer.status, len(answer.body) < 1000) == (status, True)
    assert answer.json["error"]["message"]


def test_of_a_key_that_comes_twice_the_last_counts(address):
    answer = ask(f"{address}/v1/embeddings", b'{"model": "small", "input": "text", "input": "a"}')
    assert answer.json["data"][0]["embedding"] == vector_of("a")


def test_a_compressed_body_is_refused(address):
    answer = ask(f"{address}/v1/embeddings", gzip.compress(GOOD), {"content-encoding": "gzip"})
    assert (answer.status, "content-encoding gzip" in answer.json["error"]["message"]) == (415, True)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"])
def test_what_is_not_said_to_be_json_is_refused(address, kind):
    answer = ask(f"{address}/v1/embeddings", GOOD, {"content-type": kind})
    assert (answer.status, answer.json["error"]["code"]) == (415, "unsupported_content_type")


def test_json_may_be_said_with_a_charset(address):
    assert ask(f"{address}/v1/embeddings", GOOD, {"content-type": "Application/JSON; charset=utf-8"}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/embeddings", 405), ("DELETE", "/v1/models", 405), ("GET", "/a", 404)]
)
def test_what_is_not_there_is_told_in_openais_shape(address, method, path, status):
    answer = ask(address + path, method=method)
    assert answer.status == status
    assert answer.json["error"]["type"] == "invalid_request_error"


def test_a_method_that_is_not_allowed_is_told_which_are(address):
    assert ask(f"{address}/v1/embeddings", method="GET").headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("POST", b"{", 400),
        ("POST", b'{"instances": %s}' % DEEP, 400),
        ("GET", None, 405),
        ("POST", b" " * (1 << 21), 413),
    ],
)
def test_predict_refuses_in_tensorflow_servings_shape(address, method, body, status):
    answer = ask(f"{address}/v1/models/small:predict", body, method=method)
    assert answer.status == status
    assert list(json.loads(answer.body)) == ["error"]
    assert isinstance(answer.json["error"], str)
