"""OpenAI's shape of requests and answers: what is taken, what is refused with which words."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.http.api_error import ApiError
from serving.http.openai_api import MOST_INPUTS, EmbeddingRequest, answer, parse_request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(["input", "model", "encoding_format", "dimensions", "user", "truncate"])


def parsed(**fields: Any) -> EmbeddingRequest:
    return parse_request(json.dumps({"model": "m", "input": "a text", **fields}).encode())


def refusal(body: bytes) -> ApiError:
    with pytest.raises(ApiError) as refused:
        parse_request(body)
    return refused.value


@pytest.mark.parametrize(
    ("given_input", "inputs"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
        (["a"] * MOST_INPUTS, ("a",) * MOST_INPUTS),
    ],
    ids=["text", "texts", "ids", "lists of ids", "most"],
)
def test_texts_and_token_ids_come_alone_or_in_lists(given_input, inputs):
    assert parsed(input=given_input).inputs == inputs


def test_what_is_left_out_has_its_default():
    assert parsed() == EmbeddingRequest("m", ("a text",), in_base64=False, dimensions=None, truncate=False)


def test_what_is_given_is_taken():
    request = parsed(encoding_format="base64", dimensions=3, truncate=True, user="u")
    assert request == EmbeddingRequest("m", ("a text",), in_base64=True, dimensions=3, truncate=True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [[1], []]}, "input"),
        ({"input": [[1], "a"]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": [1 << 31]}, "input"),
        ({"input": [[True]]}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": 1.5}, "input"),
        ({"input": ["a"] * (MOST_INPUTS + 1)}, "input"),
        ({"model": None}, "model"),
        ({"model": 1}, "model"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "3"}, "dimensions"),
        ({"dimensions": True}, "dimensions"),
        ({"truncate": 1}, "truncate"),
        ({"inputs": "a"}, "inputs"),
    ],
)
def test_a_field_that_is_wrong_is_named(fields, param):
    error = refusal(json.dumps({"model": "m", "input": "a", **fields}).encode())
    assert (error.status, error.param) == (400, param)
    assert param in error.message


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"a"', b"\xff", b'{"input": "\\ud800"}'])
def test_a_body_that_is_no_object_is_refused(body):
    assert refusal(body).status == 400


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary() | st.dictionaries(FIELDS, JSON).map(lambda fields: json.dumps(fields).encode()))
def test_any_body_is_a_request_or_a_refusal_in_openais_shape(body):
    try:
        parse_request(body)
    except ApiError as error:
        told = json.loads(error.openai_body)["error"]
        assert set(told) == {"message", "type", "param", "code"}
        assert told["message"]


def test_vectors_are_answered_as_numbers():
    found = json.loads(answer(parsed(input=["a", "b"]), np.array([[1, 0.5], [0, -1]]), tokens=7))
    assert found == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0, 0.5]},
            {"object": "embedding", "index": 1, "embedding": [0.0, -1.0]},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


def test_vectors_are_answered_in_base64():
    vectors = np.random.default_rng(0).standard_normal((2, 5), np.float32)
    found = json.loads(answer(parsed(encoding_format="base64"), vectors, tokens=1))
    sent = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in found["data"]]
    np.testing.assert_array_equal(sent, vectors)
