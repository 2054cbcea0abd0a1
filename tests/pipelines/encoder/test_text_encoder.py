"""Vectors equal what the published snippet gives, `encoder(preprocess(texts), training=False)`, however computed."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.encoder import text_encoder
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.errors import ModelError
from tests.pipelines.encoder.fake_encoders import FakeEncoder, save, specs
from tests.tiny_model import POSITIONS, WIDTH

TOLERANCE = 1e-4
SHARED = Path(__file__).parents[4] / "shared" / "models"

POOLINGS = {
    "pooled": lambda out, states, mask: out["pooled_output"].numpy(),
    "cls": lambda out, states, mask: states[:, 0],
    "mean": lambda out, states, mask: (states * mask[..., None]).sum(1) / mask.sum(1)[:, None],
    "max": lambda out, states, mask: np.where(mask[..., None] > 0, states, -np.inf).max(1),
    "sequence": lambda out, states, mask: [row[:n] for row, n in zip(states, mask.sum(1), strict=True)],
}

HOSTILE = [
    "",
    "   ",
    "\t\n",
    "🙂👩‍👩‍👧‍👦",
    "e\u0301e\u0301",
    "\u202eabc \u05d0\u05d1 \u0627",
    "zip\x00archive",
    "x" * 1_000_000,
    "the zip archive " * 5000,
    "\ufeff\u200b\u00ad",
    "\ue000\U0010ffff",
]


class Snippet:
    """The published usage, at a sequence length of `length`."""

    def __init__(self, model: Path, preprocessor: Path) -> None:
        self.encoder = tf.saved_model.load(str(model))
        self.preprocessor = tf.saved_model.load(str(preprocessor))

    def __call__(self, texts, pooling, layers=(), length=POSITIONS, normalize=False):
        tokens = self.preprocessor.tokenize(tf.constant(texts))
        inputs = self.preprocessor.bert_pack_inputs([tokens], seq_length=tf.constant(length))
        out = self.encoder(inputs, training=False)
        states = out["sequence_output"].numpy()
        if layers:
            states = np.mean([out["encoder_outputs"][layer].numpy() for layer in layers], axis=0)
        vectors = POOLINGS[pooling](out, states, inputs["input_mask"].numpy())
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if normalize else vectors


@pytest.fixture(scope="module")
def snippet(tiny_model):
    return Snippet(tiny_model, tiny_model / "preprocess")


@pytest.fixture(scope="module")
def mean_encoder(tiny_model):
    return TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", max_tokens=POSITIONS))


def assert_equal(vectors, expected):
    assert len(vectors) == len(expected)
    for got, wanted in zip(vectors, expected, strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_equals_the_snippet_on_hostile_texts(tiny_model, snippet, pooling):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling=pooling, max_tokens=POSITIONS))
    assert_equal(encoder.encode(HOSTILE), snippet(HOSTILE, pooling))


def test_layers_are_averaged(tiny_model, snippet):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="cls", layers=(0, -1), max_tokens=POSITIONS))
    assert_equal(encoder.encode(HOSTILE), snippet(HOSTILE, "cls", layers=(0, 1)))


def test_normalised_vectors_have_length_one(tiny_model, snippet):
    spec = EncoderSpec(str(tiny_model), pooling="mean", max_tokens=POSITIONS, normalize=True)
    assert_equal(TextEncoder.load(spec).encode(HOSTILE), snippet(HOSTILE, "mean", normalize=True))


def test_the_sequence_length_is_ours_to_choose(tiny_model, snippet):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", max_tokens=9))
    assert_equal(encoder.encode(HOSTILE), snippet(HOSTILE, "mean", length=9))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), min_size=1, max_size=40))
def test_vectors_depend_on_no_order_neighbour_or_duplicate(mean_encoder, snippet, texts):
    alone = dict(zip(texts, snippet(texts, "mean"), strict=True))
    shuffled = [*reversed(texts), *texts[: len(texts) // 2], texts[0]]
    assert_equal(mean_encoder.encode(shuffled), [alone[text] for text in shuffled])


@pytest.mark.parametrize("budget", [1, 64, 100_000])
def test_vectors_depend_on_no_batch_size(tiny_model, snippet, budget):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", max_tokens=POSITIONS))
    encoder.token_budget = budget
    assert_equal(encoder.encode(HOSTILE), snippet(HOSTILE, "mean"))


def test_compiled_vectors_equal_the_snippet_and_no_shape_is_compiled_twice(tiny_model, snippet, monkeypatch):
    monkeypatch.setattr("pipelines.encoder.adaptive.ASSUMED_COMPILE_SECONDS", 0.0)
    monkeypatch.setattr("pipelines.encoder.adaptive.LEAST_SAVING", -np.inf)
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", max_tokens=16))
    texts = [f"{word} {other}" for word in ["the", "zip", "file", "data"] for other in HOSTILE[:8]] * 40
    texts = [f"{text}{n}" for n, text in enumerate(texts)]
    encoder.encode(texts)
    warm = encoder.compiled_shapes
    assert warm
    assert_equal(encoder.encode(texts), snippet(texts, "mean", length=16))
    assert encoder.compiled_shapes == warm


def test_batches_that_the_caller_cuts_have_the_same_vectors(mean_encoder, snippet):
    tokens = mean_encoder.tokenize(HOSTILE[-2:])
    length = next(rung for rung in mean_encoder.ladder if rung >= tokens.word_ids.shape[1])
    filled = ((0, 0), (0, length - tokens.word_ids.shape[1]))
    batch = [np.pad(array, filled) for array in (tokens.word_ids, tokens.mask, tokens.type_ids)]
    assert_equal(mean_encoder.encode_batch(*batch)[tokens.row], snippet(HOSTILE[-2:], "mean"))


def test_batches_that_the_caller_cuts_compile_nothing_after_the_warm_up(tiny_model, monkeypatch):
    monkeypatch.setattr("pipelines.encoder.adaptive.ASSUMED_COMPILE_SECONDS", 0.0)
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", max_tokens=16))
    encoder.warm()
    warm = encoder.compiled_shapes
    assert {(1, 8), (1, 16)} < warm
    for rows in range(1, 33):
        encoder.encode_batch(*[np.ones((rows, 16), np.int32)] * 3)
    assert encoder.compiled_shapes == warm


def test_windows_of_texts_keep_their_order(mean_encoder, snippet, monkeypatch):
    monkeypatch.setattr(text_encoder, "WINDOW_TEXTS", 3)
    texts = [f"file {n}" for n in range(10)]
    assert_equal(mean_encoder.encode(texts), snippet(texts, "mean"))


def test_no_texts_give_no_vectors(mean_encoder):
    assert mean_encoder.encode([]).shape == (0, WIDTH)


def test_float16_vectors_are_the_float32_ones_rounded(tiny_model, snippet):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", max_tokens=POSITIONS, dtype="float16"))
    vectors = np.asarray(encoder.encode(HOSTILE))
    assert vectors.dtype == np.float16
    np.testing.assert_allclose(vectors, snippet(HOSTILE, "mean"), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pooling", ["mean", "sequence"])
def test_a_number_that_float16_cannot_hold_is_infinite_and_nothing_is_warned_of(tiny_model, tmp_path, recwarn, pooling):
    encoder = FakeEncoder()
    encoder.table.assign(encoder.table * 1e6)
    model = save(encoder, lambda inputs: encoder.encode(inputs["input_word_ids"]), tmp_path / "m", ((specs(),), {}))
    spec = EncoderSpec(str(model), str(tiny_model / "preprocess"), pooling=pooling, dtype="float16")
    assert np.isinf(TextEncoder.load(spec).encode(["the zip"])[0]).any()
    assert not [warning for warning in recwarn if "overflow" in str(warning.message)]


@pytest.mark.parametrize("dtype", ["int8", "binary"])
def test_vectors_that_a_shard_quantises_are_given_in_float32(tiny_model, dtype):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", dtype=dtype))
    assert np.asarray(encoder.encode(["the zip"])).dtype == np.float32


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 2e-2), ("float16", 2e-3)])
def test_reduced_precision_stays_near_float32(tiny_model, snippet, precision, tolerance):
    spec = EncoderSpec(str(tiny_model), pooling="mean", normalize=True, max_tokens=POSITIONS, precision=precision)
    vectors = np.asarray(TextEncoder.load(spec).encode(HOSTILE))
    expected = snippet(HOSTILE, "mean", normalize=True)
    assert vectors.dtype == np.float32
    assert 0 < np.abs(vectors - expected).max() < tolerance


def test_identical_texts_are_encoded_once(mean_encoder):
    encoded = mean_encoder.encode_tokens(mean_encoder.tokenize(["the same"] * 50 + ["another"]))
    assert (encoded.stats.texts, encoded.stats.distinct) == (51, 2)


def test_padding_is_the_share_of_encoded_positions_without_a_token(mean_encoder):
    stats = mean_encoder.encode_tokens(mean_encoder.tokenize(["the zip"])).stats
    assert (stats.tokens, stats.padded_tokens, stats.padding) == (4, 8, 0.5)


def test_a_preprocessor_is_not_an_encoder(tiny_model):
    with pytest.raises(ModelError, match="it takes strings"):
        TextEncoder.load(EncoderSpec(str(tiny_model / "preprocess")))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.skipif(not SHARED.is_dir(), reason="the format's reference models lie outside the repository")
def test_the_model_gardens_own_export_equals_the_snippet(pooling):
    model, preprocessor = SHARED / "electra_tiny", SHARED / "preprocess"
    spec = EncoderSpec(str(model), str(preprocessor), pooling=pooling)
    assert_equal(TextEncoder.load(spec).encode(HOSTILE), Snippet(model, preprocessor)(HOSTILE, pooling, length=128))
