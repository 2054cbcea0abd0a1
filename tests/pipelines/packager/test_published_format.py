"""Packaged models against two that the program behind the published encoders exported."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from packaged_model import SHARED, PackagedModel, random_inputs
from small_checkpoints import write_hugging_face

from pipelines.packager.package import package
from pipelines.packager.weight_names import HUGGING_FACE

CONFIG: dict[str, Any] = {
    "model_type": "electra",
    "hidden_size": 128,
    "embedding_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 512,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "hidden_act": "gelu_new",
}


@pytest.fixture(scope="module")
def published() -> Any:
    return tf.saved_model.load(str(SHARED / "electra_tiny"))


@pytest.fixture(scope="module")
def published_preprocessor() -> Any:
    return tf.saved_model.load(str(SHARED / "preprocess"))


@pytest.fixture(scope="module")
def repackaged(published: Any, tmp_path_factory: pytest.TempPathFactory) -> PackagedModel:
    """The published encoder's own weights, taken through a Hugging Face folder."""
    root = tmp_path_factory.mktemp("electra_tiny")
    tensors = {}
    for variable in published.trainable_variables:
        name, value = variable.name.removesuffix(":0"), variable.numpy()
        if name.endswith("/kernel"):
            outputs = 128 if name.endswith("attention_output/kernel") else value.size // value.shape[0]
            value = value.reshape(-1, outputs).T
        elif "/self_attention/" in name:
            value = value.reshape(-1)
        tensors[HUGGING_FACE.spellings(name)[0]] = value
    folder = write_hugging_face(root / "source", CONFIG, tensors)
    (folder / "vocab.txt").write_bytes((SHARED / "electra_tiny" / "assets" / "vocab.txt").read_bytes())
    report = package(str(folder), str(root / "packaged"))
    return PackagedModel(root / "packaged", report, CONFIG, tensors)


def call_specs(loaded: Any) -> dict[bool, tuple[Any, Any]]:
    """Inputs and outputs of each traced call, by its `training` argument; names are no part of them."""

    def plain(specs: Any) -> Any:
        return tf.nest.map_structure(lambda spec: (spec.shape.as_list(), spec.dtype), specs)

    calls = loaded.__call__.concrete_functions
    arguments = [call.structured_input_signature[0] for call in calls]
    return {
        training: (plain(inputs), plain(dict(call.structured_outputs)))
        for call, (inputs, training, *_) in zip(calls, arguments, strict=True)
    }


def test_calls_take_and_give_the_same(published: Any, repackaged: PackagedModel) -> None:
    assert call_specs(repackaged.encoder) == call_specs(published)


def test_variables_have_the_same_names_and_shapes(published: Any, repackaged: PackagedModel) -> None:
    def shapes(model: Any) -> dict[str, list[int]]:
        return {variable.name: variable.shape.as_list() for variable in model.trainable_variables}

    assert shapes(repackaged.encoder) == shapes(published)
    assert len(repackaged.encoder.variables) == len(published.variables)


def test_signature_takes_the_same_inputs(published: Any, repackaged: PackagedModel) -> None:
    assert repackaged.encoder.signatures.keys() == published.signatures.keys()
    ours, theirs = (model.signatures["serving_default"] for model in (repackaged.encoder, published))
    assert ours.structured_input_signature == theirs.structured_input_signature
    assert len(ours.structured_outputs) == len(theirs.structured_outputs)


def test_attributes_are_the_same(published: Any, repackaged: PackagedModel) -> None:
    for model in (repackaged.encoder, published):
        assert isinstance(model.vocab_file, tf.saved_model.Asset)
        assert model.do_lower_case.dtype == tf.bool
        assert not model.do_lower_case.trainable
        assert list(model.regularization_losses) == []


def test_the_same_weights_give_the_same_vectors(published: Any, repackaged: PackagedModel) -> None:
    inputs = random_inputs(0, [128, 60, 3, 1], 128, 30522)
    tensors = {name: tf.constant(values) for name, values in inputs.items()}
    ours, theirs = repackaged.encoder(tensors, training=False), published(tensors, training=False)
    for name in ("pooled_output", "sequence_output", "default"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5)
    for our_layer, their_layer in zip(ours["encoder_outputs"], theirs["encoder_outputs"], strict=True):
        np.testing.assert_allclose(our_layer, their_layer, atol=1e-5)


@pytest.mark.parametrize("seq_length", [1, 2, 3, 9, 64])
@pytest.mark.parametrize("segments", [1, 2])
@pytest.mark.parametrize("rank", [2, 3])
def test_preprocessors_pack_alike(
    published_preprocessor: Any, repackaged: PackagedModel, seq_length: int, segments: int, rank: int
) -> None:
    texts = tf.constant(["Hello wörld, unaffable!", "", "e\u0301 مرحبا", "日本語 " * 20, "a" * 300])
    packed = []
    for preprocessor in (published_preprocessor, repackaged.preprocessor):
        tokens = preprocessor.tokenize(texts)
        tokens = tokens.merge_dims(1, 2) if rank == 2 else tokens
        packed.append(preprocessor.bert_pack_inputs([tokens, tokens[::-1]][:segments], seq_length=seq_length))
    assert packed[0].keys() == packed[1].keys()
    for name in packed[0]:
        np.testing.assert_array_equal(packed[0][name], packed[1][name])
        assert packed[0][name].dtype == packed[1][name].dtype


def test_preprocessors_tell_the_same_special_tokens(published_preprocessor: Any, repackaged: PackagedModel) -> None:
    ours, theirs = (
        {name: int(id_) for name, id_ in loaded.tokenize.get_special_tokens_dict().items()}
        for loaded in (repackaged.preprocessor, published_preprocessor)
    )
    assert ours == theirs
