"""POST /v1/models/NAME:predict: the encoder API's own outputs, in TensorFlow Serving's shape."""

import asyncio
import base64
import hashlib
import json
import threading
from typing import Any

import numpy as np
import pytest

from serving.http.api_keys import ApiKey, FixedKeys
from serving.http.http_app import FINGERPRINT_HEADER, Limits, http_app
from serving.served_model import ServedModel
from tests.serving.fake_encoder import MAX_TOKENS, FakeEncoder, vector_of
from tests.serving.http.http_server import Answer, ask, running

BOTH = ["pooled_output", "sequence_output"]


@pytest.fixture(scope="module")
def model():
    model = ServedModel("small", FakeEncoder(), most_waiting=1 << 22, batch_floor=0.1, deadline_seconds=30)
    yield model
    model.stop()


@pytest.fixture(scope="module")
def address(model):
    with running(http_app({"small": model}, None, Limits())) as url:
        yield url


@pytest.fixture
def predict(address):
    def predicted(name: str = "small", **request: Any) -> Answer:
        return ask(f"{address}/v1/models/{name}:predict", json.dumps(request).encode())

    return predicted


def pooled(text: str) -> list[float]:
    return [2 * number for number in vector_of(text)]


def test_rows_are_answered_by_rows(predict):
    assert predict(instances=["a text", "b", "a text"]).json == {
        "predictions": [pooled("a text"), pooled("b"), pooled("a text")]
    }


def test_columns_are_answered_by_columns(predict):
    assert predict(inputs=["a text", "b"]).json == {"outputs": [pooled("a text"), pooled("b")]}


def test_two_outputs_have_their_names(predict):
    states = [[1.0, 1.0], [4.0, 1.0], [2.0, 1.0]]
    assert predict(instances=["text"], outputs=BOTH).json == {
        "predictions": [{"pooled_output": pooled("text"), "sequence_output": states}]
    }
    assert predict(inputs=["text"], outputs=BOTH).json == {
        "outputs": {"pooled_output": [pooled("text")], "sequence_output": [states]}
    }


def test_sequence_output_alone_has_each_texts_own_tokens(predict):
    answer = predict(instances=["a", "a text"], outputs=["sequence_output"])
    assert list(map(len, answer.json["predictions"])) == [3, 4]


@pytest.mark.parametrize(
    "instance",
    [
        {"text": "a text"},
        {"b64": base64.b64encode(b"a text").decode()},
        {"inputs": {"b64": base64.b64encode(b"a text").decode()}},
    ],
)
def test_an_instance_may_name_its_input_or_be_base64(predict, instance):
    assert predict(instances=[instance], signature_name="serving_default").json["predictions"] == [pooled("a text")]


def test_a_column_may_have_the_name_of_its_input(predict):
    assert predict(inputs={"text": ["b"]}).json == {"outputs": [pooled("b")]}


def test_an_empty_text_is_a_text(predict):
    assert predict(instances=[""]).json["predictions"] == [pooled("")]


def test_a_text_that_is_too_long_is_cut_as_the_preprocessor_cuts(predict):
    assert predict(instances=["a " * 100]).json["predictions"] == [pooled("a " * (MAX_TOKENS - 2))]


def test_the_fingerprints_are_those_of_the_outputs(predict):
    assert predict(instances=["a"]).headers[FINGERPRINT_HEADER] == "a" * 64
    assert predict(instances=["a"], outputs=BOTH).headers[FINGERPRINT_HEADER] == f"{'a' * 64}, {'b' * 64}"


def test_a_model_that_gives_an_output_as_it_is_gives_it_from_its_own_lanes():
    model = ServedModel("small", FakeEncoder("pooled"), most_waiting=1, batch_floor=0.1, deadline_seconds=30)
    assert asyncio.run(model.head("pooled")) is model
    model.stop()


@pytest.mark.parametrize("outputs", [["pooled_output"], ["sequence_output"], BOTH])
def test_what_json_cannot_say_is_an_error_that_tells_of_which_text(predict, monkeypatch, outputs):
    encode = FakeEncoder.encode_batch

    def broken(self: FakeEncoder, ids: np.ndarray, mask: np.ndarray, types: np.ndarray) -> np.ndarray:
        values = encode(self, ids, mask, types)
        values[(ids == len("broken")).any(axis=1)] = np.nan
        return values

    monkeypatch.setattr(FakeEncoder, "encode_batch", broken)
    answer = predict(instances=["a", "a", "is broken"], outputs=outputs)
    assert (answer.status, answer.json) == (
        400,
        {"error": "The model gives no finite vector for the input at index 2."},
    )


def test_two_outputs_are_paid_at_once_or_not_at_all(model):
    keys = FixedKeys((ApiKey("small", hashlib.sha256(b"key").hexdigest(), tokens_per_minute=10),))
    with running(http_app({"small": model}, keys, Limits())) as url:

        def status(text: str, outputs: list[str]) -> int:
            body = json.dumps({"instances": [text], "outputs": outputs}).encode()
            return ask(f"{url}/v1/models/small:predict", body, {"authorization": "Bearer key"}).status

        assert status("a b c d", BOTH) == 400
        assert status("a b", BOTH) == 200
        assert status("a b", BOTH) == 429


def test_two_outputs_have_the_time_of_one():
    model = ServedModel("small", SlowlyPooling(), most_waiting=1 << 10, batch_floor=0.1, deadline_seconds=0.2)
    with running(http_app({"small": model}, None, Limits())) as url:
        body = json.dumps({"instances": ["a"], "outputs": BOTH}).encode()
        assert ask(f"{url}/v1/models/small:predict", body).status == 503
    model.stop()


class SlowlyPooling(FakeEncoder):
    """An encoder that takes longer for its first output than there is time."""

    def giving(self, output: str) -> "SlowlyPooling":
        return SlowlyPooling(output)

    def encode_batch(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray) -> np.ndarray:
        if self.output == "pooled":
            threading.Event().wait(0.4)
        return super().encode_batch(word_ids, mask, type_ids)


def test_an_unknown_model(predict):
    answer = predict("large", instances=["a"])
    assert (answer.status, answer.json) == (404, {"error": "The model 'large' does not exist here."})


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({}, "either 'instances' or 'inputs'"),
        ({"instances": ["a"], "inputs": ["a"]}, "either 'instances' or 'inputs'"),
        ({"instances": []}, "an empty list"),
        ({"instances": "a"}, "is a string"),
        ({"inputs": "a"}, "is a string"),
        ({"inputs": {"a": ["b"], "c": ["d"]}}, "is an object"),
        ({"instances": ["a", 1]}, r"'instances\[1\]'"),
        ({"inputs": ["a", None]}, r"'inputs\[1\]'"),
        ({"instances": [{"a": "b", "c": "d"}]}, r"'instances\[0\]'"),
        ({"instances": [{"a": {"c": "d"}}]}, r"'instances\[0\]'"),
        ({"instances": [{"b64": "!"}]}, "base64"),
        ({"instances": [{"b64": "/w=="}]}, "base64"),
        ({"instances": [{"b64": 1}]}, "base64"),
        ({"instances": [{"b64": "ä"}]}, "base64"),
        ({"instances": ["a"], "signature_name": "other"}, "signature_name"),
        ({"instances": ["a"], "signature_name": ["a"]}, "signature_name"),
        ({"instances": ["a"], "outputs": ["default"]}, "'outputs'"),
        ({"instances": ["a"], "outputs": []}, "'outputs'"),
        ({"instances": ["a"], "outputs": "pooled_output"}, "'outputs'"),
        ({"instances": ["a"], "outputs": ["pooled_output", "pooled_output"]}, "'outputs'"),
        ({"instances": ["a"], "outputs": [["pooled_output"]]}, "'outputs'"),
        ({"instances": ["a"], "output_filter": []}, "'output_filter' is no part"),
        ({"instances": ["a"] * 2049}, "may have 2,048"),
    ],
)
def test_what_is_wrong_is_told(predict, request_, told):
    answer = predict(**request_)
    assert answer.status == 400
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(answer.json["error"])


def test_more_states_than_an_answer_may_have_are_refused_before_they_are_computed(predict, monkeypatch):
    monkeypatch.setattr("serving.http.tensorflow_api.MOST_NUMBERS", 2 * 3 * 100)
    assert predict(instances=["a"] * 100, outputs=["sequence_output"]).status == 200
    answer = predict(instances=["a"] * 101, outputs=["sequence_output"])
    assert (answer.status, "send fewer texts" in answer.json["error"]) == (400, True)
