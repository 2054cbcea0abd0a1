"""The application behind a real HTTP server, asked by the real OpenAI client."""

import hashlib
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

from serving.http import http_app as http_app_module
from serving.http.api_keys import KeyFile
from serving.http.http_app import FINGERPRINT_HEADER, Limits, http_app
from serving.http.intake import Intake
from serving.lanes.lanes import Lane
from serving.served_model import ServedModel
from tests.serving.fake_encoder import MAX_TOKENS, FakeEncoder, vector_of
from tests.serving.http.http_server import client_of, running, vectors, wait_for

KEY, SLOW_KEY = "a good key", "a key with limits"


@pytest.fixture(scope="module")
def encoder():
    return FakeEncoder()


@pytest.fixture(scope="module")
def model(encoder):
    model = ServedModel("small", encoder, most_waiting=MAX_TOKENS * 2048, batch_floor=0.1, deadline_seconds=30)
    yield model
    encoder.free.set()
    model.lanes.stop()


@pytest.fixture(scope="module")
def address(model, tmp_path_factory):
    keys = key_file(tmp_path_factory.mktemp("keys"))
    with running(http_app({"small": model}, keys, Limits(body_bytes=1 << 20))) as url:
        yield url


def key_file(folder: Path) -> KeyFile:
    path = folder / "keys.toml"
    path.write_text(
        f'[keys.good]\nsha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"\n'
        f'[keys.slow]\nsha256 = "{hashlib.sha256(SLOW_KEY.encode()).hexdigest()}"\nrequests_per_minute = 1\n'
    )
    return KeyFile(path)


@pytest.fixture
def client(address):
    return client_of(address, KEY)


def test_a_text_and_a_list_of_texts(client):
    assert vectors(client, "a text") == [vector_of("a text")]
    assert vectors(client, ["b", "a text", "b"]) == [vector_of("b"), vector_of("a text"), vector_of("b")]


def test_as_many_texts_as_openai_takes(client):
    texts = [f"text{number} " * (number % 10 + 1) for number in range(2048)]
    assert vectors(client, texts) == [vector_of(text) for text in texts]


@pytest.mark.parametrize("form", ["float", "base64"])
def test_numbers_and_base64_are_the_same(client, form):
    assert len(vectors(client, "a text", encoding_format=form)) == 1


def test_token_ids_are_texts_without_their_special_tokens(client):
    assert vectors(client, [1, 4]) == vectors(client, [[1, 4]]) == vectors(client, "a text")


def test_usage_counts_every_token(client):
    usage = client.embeddings.create(model="small", input=["a text", "b", "b"]).usage
    assert (usage.prompt_tokens, usage.total_tokens) == (10, 10)


def test_the_fingerprint_is_on_every_answer(client):
    response = client.embeddings.with_raw_response.create(model="small", input="a")
    assert response.headers[FINGERPRINT_HEADER] == "f" * 64


def test_a_wrong_key(address):
    with pytest.raises(openai.AuthenticationError) as refused:
        vectors(client_of(address, "wrong"), "a")
    assert refused.value.code == "invalid_api_key"


def test_an_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as refused:
        client.embeddings.create(model="large", input="a")
    assert refused.value.code == "model_not_found"


def test_a_text_that_is_too_long_is_refused_unless_it_may_be_cut(client):
    long = "a " * MAX_TOKENS
    with pytest.raises(openai.BadRequestError, match="maximum context length of 16 tokens") as refused:
        vectors(client, ["a", long])
    assert (refused.value.code, "input[1]" in str(refused.value)) == ("context_length_exceeded", True)
    assert vectors(client, long, extra_body={"truncate": True}) == [vector_of("a " * 14)]


def test_dimensions_that_the_model_does_not_have(client):
    assert vectors(client, "a", dimensions=3) == [vector_of("a")]
    with pytest.raises(openai.BadRequestError, match="gives 3 dimensions"):
        vectors(client, "a", dimensions=2)


def test_a_key_with_a_limit_is_told_to_wait(address):
    slow = client_of(address, SLOW_KEY)
    vectors(slow, "a")
    with pytest.raises(openai.RateLimitError) as refused:
        vectors(slow, "a")
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60


def test_models_are_listed_with_their_fingerprints(client):
    (model,) = client.models.list().data
    assert (model.id, model.to_dict()["fingerprint"], model.to_dict()["max_tokens"]) == ("small", "f" * 64, MAX_TOKENS)


def test_a_model_is_told_by_its_name(client):
    assert client.models.retrieve("small").to_dict() == client.models.list().data[0].to_dict()
    assert client.models.retrieve("small").to_dict()["pooling"] == "mean"
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("large")
    assert refused.value.code == "model_not_found"


def test_a_vector_that_json_cannot_say_is_an_error(client, encoder, monkeypatch):
    monkeypatch.setattr(FakeEncoder, "encode_batch", lambda self, ids, mask, types: np.full((len(ids), 3), np.inf))
    with pytest.raises(openai.BadRequestError, match="no finite vector for the input at index 0"):
        vectors(client, "a text")


@pytest.fixture
def held():
    """A model whose encoder waits with its first micro-batch."""
    encoder = FakeEncoder()
    encoder.free.clear()
    model = ServedModel("small", encoder, most_waiting=20, batch_floor=0.1, deadline_seconds=30)
    yield model, encoder
    encoder.free.set()
    model.lanes.stop()


def test_a_full_queue_is_told_at_once(held):
    model, encoder = held
    with running(http_app({"small": model}, None, Limits())) as url, ThreadPoolExecutor() as asking:
        answers = [asking.submit(vectors, client_of(url, "-"), "at hand")]
        assert encoder.begun.acquire(timeout=30)
        answers.append(asking.submit(vectors, client_of(url, "-"), "waits " * 14))
        wait_for(lambda: model.lanes.waiting(Lane.ONLINE))
        with pytest.raises(openai.RateLimitError) as refused:
            vectors(client_of(url, "-"), "one more text")
        assert int(refused.value.response.headers["retry-after"]) >= 1
        encoder.free.set()
        assert [len(answer.result()) for answer in answers] == [1, 1]


def test_bodies_that_are_too_much_together_are_told_at_once(held, monkeypatch):
    model, encoder = held
    monkeypatch.setattr(http_app_module, "Intake", lambda: Intake(most=300))
    with running(http_app({"small": model}, None, Limits())) as url, ThreadPoolExecutor() as asking:
        first = asking.submit(vectors, client_of(url, "-"), "a" * 200)
        assert encoder.begun.acquire(timeout=30)
        with pytest.raises(openai.RateLimitError, match="can hold"):
            vectors(client_of(url, "-"), "b" * 200)
        encoder.free.set()
        first.result()
        assert len(vectors(client_of(url, "-"), "c" * 200)) == 1


def test_a_request_whose_client_went_away_is_not_computed(held):
    model, encoder = held
    with running(http_app({"small": model}, None, Limits())) as url, ThreadPoolExecutor() as asking:
        first = asking.submit(vectors, client_of(url, "-"), "at hand")
        assert encoder.begun.acquire(timeout=30)
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as gone:
            body = json.dumps({"model": "small", "input": "nobody waits for this"}).encode()
            gone.sendall(b"POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            wait_for(lambda: model.lanes.waiting(Lane.ONLINE))
        wait_for(lambda: not model.lanes.waiting(Lane.ONLINE))
        encoder.free.set()
        first.result()
    assert encoder.rows == 1


def test_as_many_token_ids_as_texts_and_not_one_more(client):
    assert len(vectors(client, [[4]] * 2048)) == 2048
    for given in (["a"] * 2049, [[4]] * 2049):
        with pytest.raises(openai.BadRequestError, match="may have 2,048"):
            vectors(client, given)


def test_what_the_client_asks_for_by_default_is_base64(address, client):
    sent = client.embeddings.with_raw_response.create(model="small", input="a text")
    assert json.loads(sent.http_request.content)["encoding_format"] == "base64"
    assert isinstance(json.loads(sent.text)["data"][0]["embedding"], str)


@pytest.mark.parametrize("given", [[[1], [-1]], [[1], [1000]], [[1], [2**31 - 1]]], ids=["below", "above", "far above"])
def test_a_token_id_that_the_model_does_not_have_is_refused(client, given):
    with pytest.raises(openai.BadRequestError, match=r"'input\[1\]'") as refused:
        vectors(client, given)
    assert refused.value.param == "input"


def test_token_ids_are_refused_where_the_vocabulary_is_not_known(client, encoder, monkeypatch):
    monkeypatch.setattr(encoder.tokenize, "vocabulary", None)
    with pytest.raises(openai.BadRequestError, match="send texts"):
        vectors(client, [1])


def test_without_a_key(client):
    with pytest.raises(openai.AuthenticationError):
        vectors(client, "a", extra_headers={"Authorization": openai.Omit()})


@pytest.mark.parametrize("given", [1.5, {"text": "a"}, [None], [["a"]], ["a", [1]], [[1.0]], [True], "", [], [[]]])
def test_inputs_of_a_wrong_type(client, given):
    with pytest.raises(openai.BadRequestError) as refused:
        vectors(client, given)
    assert refused.value.param == "input"


def test_an_encoder_that_fails_is_told_without_its_words(model, client, monkeypatch):
    def fail(*arrays: Any) -> None:
        raise RuntimeError("at /secret/path.py line 7")

    monkeypatch.setattr(model.encoder, "encode_batch", fail)
    with pytest.raises(openai.InternalServerError) as failed:
        vectors(client, "a")
    assert "secret" not in failed.value.response.text
