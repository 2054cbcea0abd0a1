"""A served model over a real encoder: people and a batch job get the vectors that `embed` writes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
import tensorflow as tf

from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.encoder.token_graphs import INPUT_NAMES
from serving.http.api_error import ApiError
from serving.http.openai_api import EmbeddingRequest
from serving.http.tensorflow_api import OUTPUTS
from serving.lanes.lanes import Lane
from serving.served_model import ServedModel
from tests.tiny_model import VOCABULARY, WORDS

TEXTS = [" ".join(WORDS[(row * step) % len(WORDS)] for step in range(1, 2 + row % 25)) for row in range(200)]


@pytest.fixture(scope="module")
def model(tiny_model):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", max_tokens=32), threads=1)
    model = ServedModel("tiny", encoder, most_waiting=1 << 20, batch_floor=0.1, deadline_seconds=300)
    yield model
    model.stop()


def served(model: ServedModel, texts: list[str]) -> np.ndarray:
    return asyncio.run(model.embed(EmbeddingRequest("tiny", tuple(texts)))).vectors


def test_vectors_of_both_lanes_are_those_of_the_encoder_alone(model):
    batch = model.lanes.submit(Lane.BATCH, tokens := model.encoder.tokenize(TEXTS))
    with ThreadPoolExecutor(8) as people:
        online = list(people.map(lambda start: served(model, TEXTS[start : start + 5]), range(0, len(TEXTS), 5)))
    expected = model.encoder.encode(TEXTS)
    np.testing.assert_allclose(np.concatenate(online), expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(np.stack(batch.result())[tokens.row], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("output", ["pooled_output", "sequence_output"])
def test_predict_gives_what_the_published_snippet_gives(model, tiny_model, output):
    texts = TEXTS[:30]
    encoder = tf.saved_model.load(str(tiny_model))
    packed = model.encoder.tokenize(texts)
    inputs = dict(zip(INPUT_NAMES, (packed.word_ids, packed.mask, packed.type_ids), strict=True))
    expected = encoder(inputs, training=False)[output].numpy()
    head = asyncio.run(model.head(OUTPUTS[output]))
    found = asyncio.run(head.encode(packed, head.deadline()))
    for row, value in enumerate(found):
        own = expected[row] if output == "pooled_output" else expected[row, : packed.lengths[row]]
        np.testing.assert_allclose(value, own, rtol=0, atol=1e-4)


def test_the_same_weights_are_held_once(model):
    """With TensorFlow; OpenVINO has its own for each output."""
    head = asyncio.run(model.head("pooled"))
    assert head.encoder._parts.saved_models is model.encoder._parts.saved_models


def test_a_token_id_beyond_the_vocabulary_is_refused(model):
    for ids, refused in (([len(VOCABULARY) - 1], False), ([len(VOCABULARY)], True)):
        with pytest.raises(ApiError) if refused else nullcontext():
            asyncio.run(model.tokens([ids], truncate=False))


def test_a_warm_model_compiles_nothing_for_single_texts(model):
    model.encoder.warm()
    before = model.encoder.compiled_shapes
    for text in TEXTS[:20]:
        served(model, [text])
    assert model.encoder.compiled_shapes == before
    assert {(1, length) for length in model.encoder.ladder} <= before
