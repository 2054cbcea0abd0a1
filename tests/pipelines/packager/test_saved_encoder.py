"""A packaged model offers what the TF-Hub encoder API promises, and trains."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras
from packaged_model import PackagedModel, random_inputs
from small_checkpoints import VOCABULARY

TEXTS = ["The cat sat on the mat.", "unaffable dogs!", "", "日 café"]


def test_published_snippet_runs(packaged: PackagedModel) -> None:
    preprocessor = hub.load(str(packaged.folder / "preprocess"))
    encoder = hub.load(str(packaged.folder))
    tokens = preprocessor.tokenize(tf.constant(TEXTS))
    outputs = encoder(preprocessor.bert_pack_inputs([tokens], seq_length=tf.constant(12)))
    width, layers = packaged.config["hidden_size"], packaged.config["num_hidden_layers"]
    assert outputs["pooled_output"].shape == (4, width)
    assert outputs["sequence_output"].shape == (4, 12, width)
    assert [output.shape for output in outputs["encoder_outputs"]] == [(4, 12, width)] * layers


def test_inference_is_the_default_and_deterministic(packaged: PackagedModel) -> None:
    inputs = random_inputs(0, [5, 8], 8, packaged.config["vocab_size"])
    default = packaged.encoder(inputs)["default"]
    np.testing.assert_array_equal(default, packaged.encoder(inputs, training=False)["default"])
    np.testing.assert_array_equal(default, packaged.encoder(inputs, False)["default"])


def test_dropout_is_active_only_in_training(packaged: PackagedModel) -> None:
    inputs = random_inputs(0, [5, 8], 8, packaged.config["vocab_size"])
    first, second = (packaged.encoder(inputs, training=True)["default"] for _ in range(2))
    assert not np.allclose(first, second)


def test_texts_longer_than_the_positions_are_an_error(packaged: PackagedModel) -> None:
    inputs = random_inputs(0, [21], 21, packaged.config["vocab_size"])
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        packaged.encoder(inputs)


def test_attributes_of_legacy_modules_are_there(packaged: PackagedModel) -> None:
    assert bool(packaged.encoder.do_lower_case.numpy()) is True
    with open(packaged.encoder.vocab_file.asset_path.numpy(), encoding="utf-8") as file:  # noqa: PTH123
        assert file.read().split() == VOCABULARY
    assert packaged.encoder.regularization_losses == []


def test_serving_signature_names_its_inputs_and_outputs(packaged: PackagedModel) -> None:
    inputs = random_inputs(0, [5, 8], 8, packaged.config["vocab_size"])
    signature = packaged.encoder.signatures["serving_default"]
    outputs = signature(**{name: tf.constant(values) for name, values in inputs.items()})
    assert set(outputs) == {
        "default",
        "pooled_output",
        "sequence_output",
        *(f"encoder_outputs_{layer}" for layer in range(packaged.config["num_hidden_layers"])),
    }
    np.testing.assert_allclose(outputs["sequence_output"], packaged.encoder(inputs)["sequence_output"], atol=1e-5)


def test_preprocessor_packs_known_ids(packaged: PackagedModel) -> None:
    packed = packaged.preprocessor(tf.constant(["The CAT sat, unaffable zebra"]))
    assert packed["input_word_ids"].shape == (1, 128)
    words = [VOCABULARY[id_] for id_ in packed["input_word_ids"][0].numpy() if id_]
    assert words == ["[CLS]", "the", "cat", "sat", ",", "un", "##aff", "##able", "[UNK]", "[SEP]"]


def test_two_segments_share_the_length_round_robin(packaged: PackagedModel) -> None:
    tokenize, pack = packaged.preprocessor.tokenize, packaged.preprocessor.bert_pack_inputs
    tokens = [tokenize(tf.constant([text])) for text in ("the the the the the", "a a a a")]
    packed = pack(tokens, seq_length=8)
    words = [VOCABULARY[id_] for id_ in packed["input_word_ids"][0].numpy()]
    assert words == ["[CLS]", "the", "the", "the", "[SEP]", "a", "a", "[SEP]"]
    assert packed["input_type_ids"].numpy().tolist() == [[0, 0, 0, 0, 0, 1, 1, 1]]


def test_packer_is_a_keras_layer_of_any_length(packaged: PackagedModel) -> None:
    layer = hub.KerasLayer(packaged.preprocessor.bert_pack_inputs, arguments={"seq_length": 9})
    packed = layer([packaged.preprocessor.tokenize(tf.constant(TEXTS))])
    assert packed["input_mask"].shape == (4, 9)


def test_special_tokens_are_told(packaged: PackagedModel) -> None:
    special = packaged.preprocessor.tokenize.get_special_tokens_dict()
    assert {name: int(id_) for name, id_ in special.items()} == {
        "padding_id": 0,
        "start_of_sequence_id": 2,
        "end_of_segment_id": 3,
        "mask_id": 4,
        "vocab_size": len(VOCABULARY),
    }


def test_fine_tuning_changes_the_weights_and_the_result_embeds(packaged: PackagedModel, tmp_path: Path) -> None:
    preprocessor = hub.load(str(packaged.folder / "preprocess"))
    encoder = hub.KerasLayer(str(packaged.folder), trainable=True)
    texts = tf_keras.Input([], dtype=tf.string)
    tokens = hub.KerasLayer(preprocessor.tokenize)(texts)
    packed = hub.KerasLayer(preprocessor.bert_pack_inputs, arguments={"seq_length": 12})([tokens])
    pooled = encoder(packed)["pooled_output"]
    model = tf_keras.Model(texts, tf_keras.layers.Dense(1, activation="sigmoid")(pooled))
    model.compile(tf_keras.optimizers.legacy.Adam(1e-2), "binary_crossentropy")
    before = {weight.name: weight.numpy() for weight in encoder.trainable_weights}
    model.fit(np.array(TEXTS, dtype=object), np.array([0, 1, 0, 1]), epochs=3, verbose="0")

    unchanged = {w.name for w in encoder.trainable_weights if np.array_equal(before[w.name], w.numpy())}
    assert len(before) == len(packaged.encoder.trainable_variables)
    # A key's bias moves all scores of a query alike, which the softmax undoes: its gradient is zero but for rounding.
    assert all("/key/bias" in name for name in unchanged)
    embedder = tf_keras.Model(texts, pooled)
    embedder.save(str(tmp_path / "tuned"))
    tuned: Any = tf.saved_model.load(str(tmp_path / "tuned"))
    vectors = tuned(tf.constant(TEXTS), training=False)
    np.testing.assert_allclose(vectors, embedder(tf.constant(TEXTS), training=False), atol=1e-5)


def test_recommendations_are_left_out_where_the_source_has_none(packaged: PackagedModel) -> None:
    recommended = json.loads((packaged.folder / "encorpus.json").read_bytes())
    assert recommended["preprocessor"] == "preprocess"
    assert recommended["positions"] == 20
    assert recommended.keys().isdisjoint({"pooling", "normalize", "max_tokens"})
