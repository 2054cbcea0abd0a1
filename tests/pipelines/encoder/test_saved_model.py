"""SavedModels of every generation are one function, with dropout off; what is no encoder is told why."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.encoder.resolve import resolve_model
from pipelines.encoder.saved_model import load_encoder, load_saved_model
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.errors import ModelError
from tests.pipelines.encoder.archives import archive_of
from tests.pipelines.encoder.fake_encoders import NAMES, WIDTH, FakeEncoder, save, save_plain, specs

TEXTS = ["the zip", "read and write the file"]


def encode(model, tiny_model, **options):
    encoder = TextEncoder.load(EncoderSpec(str(model), str(tiny_model / "preprocess"), **options))
    vectors = np.asarray(encoder.encode(TEXTS))
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    return vectors


@pytest.fixture
def encoder():
    return FakeEncoder()


@pytest.mark.parametrize("default", [True, False, None], ids=["by default", "not by default", "when told"])
def test_dropout_is_off_whatever_the_default_of_the_training_argument(encoder, tiny_model, tmp_path, default):
    def with_default(inputs, training=default):
        return encoder.encode(inputs["input_word_ids"], training)

    traces = [((specs(),), {"training": training}) for training in (True, False)]
    model = save(encoder, with_default, tmp_path / "model", *traces)
    expected = encode(save_plain(tmp_path / "plain"), tiny_model, pooling="mean")
    np.testing.assert_array_equal(encode(model, tiny_model, pooling="mean"), expected)


def test_a_model_that_can_only_train_is_refused(encoder, tmp_path):
    def only_training(inputs, training=True):
        return encoder.encode(inputs["input_word_ids"], training)

    model = save(encoder, only_training, tmp_path / "model", ((specs(),), {"training": True}))
    with pytest.raises(ModelError, match="its call fails: Could not find matching concrete function"):
        load_encoder(model)


def test_version_1_takes_a_list_and_gives_a_list(encoder, tiny_model, tmp_path):
    def of_list(inputs, training=False):
        outputs = encoder.encode(inputs[0], training)
        return [outputs["pooled_output"], outputs["sequence_output"]]

    given = [specs()[name] for name in NAMES]
    traces = [((given,), {"training": training}) for training in (True, False)]
    model = save(encoder, of_list, tmp_path / "model", *traces)
    assert load_encoder(model).generation == "list"
    np.testing.assert_array_equal(encode(model, tiny_model), encode(save_plain(tmp_path / "plain"), tiny_model))


@pytest.mark.parametrize("pooled_width", [1, 4])
def test_pooled_vectors_are_as_wide_as_pooled_output_and_others_as_sequence_output(tiny_model, tmp_path, pooled_width):
    model = save_plain(tmp_path / "model", pooled_width=pooled_width)
    assert encode(model, tiny_model).shape[1] == pooled_width
    assert encode(model, tiny_model, pooling="mean").shape[1] == WIDTH
    facts = TextEncoder.load(EncoderSpec(str(model), str(tiny_model / "preprocess"))).facts
    assert (facts.pooled_width, facts.sequence_width) == (pooled_width, WIDTH)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pooled_output": None}, "it gives no pooled_output"),
        ({"pooled_output": lambda states: states}, r"pooled_output has the shape \(None, None, 8\)"),
        ({"sequence_output": lambda states: states[:, 0]}, r"sequence_output has the shape \(None, 8\)"),
        (
            {"encoder_outputs": lambda states: [states, states[..., :2]]},
            r"encoder_outputs has the shape \(None, None, 2\)",
        ),
    ],
)
def test_outputs_that_are_not_an_encoders_are_refused(encoder, tmp_path, change, told):
    def call(inputs):
        outputs = encoder.encode(inputs["input_word_ids"])
        changed = {name: make and make(outputs["sequence_output"]) for name, make in change.items()}
        return {name: value for name, value in (outputs | changed).items() if value is not None}

    model = save(encoder, call, tmp_path / "model", ((specs(),), {}))
    with pytest.raises(ModelError, match=f"not a text encoder: {told}"):
        load_encoder(model)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "neither the dict nor the list of three inputs"),
        (([specs()["input_mask"]],), "neither the dict nor the list of three inputs"),
        (({"input_word_ids": specs()["input_word_ids"]},), "takes input_word_ids, and not input_mask, input_type_ids"),
        ((tf.TensorSpec([None], tf.string),), "it takes strings"),
    ],
)
def test_a_call_that_takes_something_else_is_refused(encoder, tmp_path, arguments, told):
    model = save(encoder, lambda *given: encoder.table, tmp_path / "model", (arguments, {}))
    with pytest.raises(ModelError, match=told):
        load_encoder(model)


def test_a_model_that_is_only_a_signature_is_refused(encoder, tmp_path):
    tf.saved_model.save(encoder, str(tmp_path / "model"))
    with pytest.raises(ModelError, match="it cannot be called"):
        load_encoder(tmp_path / "model")


def test_a_broken_file_is_named_and_where_it_can_be_fetched_again_what_to_delete(saved_model, cache, tmp_path):
    with pytest.raises(ModelError, match=f"^model {saved_model}: TensorFlow cannot load it: [^;]*$"):
        load_saved_model(saved_model)
    (tmp_path / "model.tar.gz").write_bytes(archive_of(saved_model))
    cached = resolve_model(str(tmp_path / "model.tar.gz"))
    with pytest.raises(ModelError, match=f"TensorFlow cannot load it: .*; delete {cached} to fetch it anew$"):
        load_saved_model(cached / "preprocess")
