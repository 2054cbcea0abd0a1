"""A packaged encoder computes what an independent implementation of its architecture computes."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy_encoder
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from packaged_model import PackagedModel, random_inputs
from small_checkpoints import BERT, ELECTRA, random_tensors, write_hugging_face

from pipelines.packager.package import read_checkpoint
from pipelines.packager.transformer_encoder import TransformerEncoder

TOLERANCE = 1e-5


def assert_same(outputs: dict[str, Any], inputs: dict[str, np.ndarray], config: Any, tensors: Any) -> None:
    expected = numpy_encoder.encode(config, tensors, *inputs.values())
    for output, layer in zip(outputs["encoder_outputs"], expected, strict=True):
        np.testing.assert_allclose(output, layer, atol=TOLERANCE)
    np.testing.assert_allclose(outputs["sequence_output"], expected[-1], atol=TOLERANCE)
    if "pooler.dense.weight" in tensors:
        pooled = numpy_encoder.pool(tensors, expected[-1])
    else:
        pooled = np.tanh(expected[-1][:, 0])
    np.testing.assert_allclose(outputs["pooled_output"], pooled, atol=TOLERANCE)
    np.testing.assert_array_equal(outputs["default"], outputs["pooled_output"])


@st.composite
def batches(draw: st.DrawFn) -> dict[str, np.ndarray]:
    lengths = draw(st.lists(st.integers(1, 20), min_size=1, max_size=5))
    padded_to = draw(st.integers(max(lengths), 20))
    return random_inputs(draw(st.integers(0, 1000)), lengths, padded_to, BERT["vocab_size"])


@settings(max_examples=20, deadline=None)
@given(inputs=batches())
def test_packaged_bert_agrees_with_numpy_for_any_batch_and_length(bert: PackagedModel, inputs: Any) -> None:
    assert_same(bert.encoder(inputs, training=False), inputs, bert.config, bert.tensors)


@settings(max_examples=20, deadline=None)
@given(inputs=batches())
def test_packaged_electra_agrees_with_numpy_for_any_batch_and_length(electra: PackagedModel, inputs: Any) -> None:
    assert_same(electra.encoder(inputs, training=False), inputs, electra.config, electra.tensors)


@settings(max_examples=10, deadline=None)
@given(
    family=st.sampled_from([BERT, ELECTRA]),
    heads=st.integers(1, 4),
    # A layer of only a few units may have nearly equal ones, which normalising turns into rounding noise.
    head_width=st.integers(8, 12),
    sizes=st.fixed_dictionaries(
        {
            "num_hidden_layers": st.integers(1, 3),
            "intermediate_size": st.integers(1, 50),
            "hidden_act": st.sampled_from(["gelu", "gelu_new", "relu"]),
            "layer_norm_eps": st.sampled_from([1e-12, 1e-5, 0.1]),
        }
    ),
)
def test_every_size_and_activation_agrees_with_numpy(
    family: dict[str, Any], heads: int, head_width: int, sizes: dict[str, Any]
) -> None:
    config = family | sizes | {"num_attention_heads": heads, "hidden_size": heads * head_width}
    tensors = random_tensors(config)
    with TemporaryDirectory() as folder:
        checkpoint = read_checkpoint(write_hugging_face(Path(folder), config, tensors))
    inputs = random_inputs(0, [7, 3], 8, config["vocab_size"])
    encoder = TransformerEncoder(checkpoint.architecture, checkpoint.weights)
    outputs = encoder({name: tf.constant(values) for name, values in inputs.items()})
    assert_same(outputs, inputs, config, tensors)


def test_compiled_encoder_agrees_with_numpy(packaged: PackagedModel) -> None:
    @tf.function(jit_compile=True)
    def compiled(inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
        return packaged.encoder(inputs, training=False)

    inputs = random_inputs(3, [16, 9, 1], 16, packaged.config["vocab_size"])
    outputs = compiled({name: tf.constant(values) for name, values in inputs.items()})
    assert_same(outputs, inputs, packaged.config, packaged.tensors)


def test_rows_of_nothing_but_padding_stay_finite(packaged: PackagedModel) -> None:
    inputs = random_inputs(0, [4, 0], 6, packaged.config["vocab_size"])
    assert np.isfinite(packaged.encoder(inputs)["sequence_output"]).all()
