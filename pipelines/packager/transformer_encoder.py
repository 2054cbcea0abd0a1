"""The BERT and ELECTRA encoder as a tf.Module: the computation that a packaged SavedModel carries."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.packager.architecture import Architecture, weight_shapes

# Added to the attention scores of padding. exp(-30000) is exactly 0 in float32, and unlike the customary -1e9
# the number is finite in float16, so that a row of nothing but padding gives no NaN there.
MASKED = -30000.0

ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "relu": tf.nn.relu,
}


class TransformerEncoder(tf.Module):
    """A BERT encoder, or ELECTRA's discriminator, which is one with narrower embeddings projected to its width.

    `weights` are float32 arrays under the names of `weight_shapes`. Kernels of attention are kept divided into
    heads, as in the published encoders: [width, heads, width of a head], and the reverse for attention_output.
    """

    def __init__(self, architecture: Architecture, weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self.architecture = architecture
        self.weights = {
            name: tf.Variable(tf.constant(weights[name].reshape(self._kept_shape(name, shape))), name=name)
            for name, shape in weight_shapes(architecture).items()
        }

    @tf.function
    def __call__(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> dict[str, Any]:
        """Encodes input_word_ids, input_mask and input_type_ids, int32 [n, length] each.

        Gives float32: `pooled_output` and `default` (the same) [n, width], `sequence_output` [n, length, width],
        and `encoder_outputs`, one [n, length, width] per layer. Dropout is active only when training.
        """
        word_ids = inputs["input_word_ids"]
        batch, length = tf.unstack(tf.shape(word_ids))
        with tf.control_dependencies([self._assert_length(length)]):
            x = self._embed(word_ids, inputs["input_type_ids"], training)
        # From here on a token is a row, so that every dense layer is one plain matrix product.
        x = tf.reshape(x, [batch * length, self.architecture.embedding_width])
        if self.architecture.embedding_width != self.architecture.width:
            x = self._dense(x, "embedding_projection")
        padding = 1.0 - tf.cast(inputs["input_mask"], tf.float32)
        bias = MASKED * padding[:, tf.newaxis, tf.newaxis, :]
        encoder_outputs = []
        for layer in range(self.architecture.layers):
            x = self._layer(x, bias, layer, batch, length, training)
            encoder_outputs.append(tf.reshape(x, [batch, length, self.architecture.width]))
        sequence_output = encoder_outputs[-1]
        pooled_output = tf.tanh(self._dense(sequence_output[:, 0], "pooler_transform"))
        return {
            "pooled_output": pooled_output,
            "sequence_output": sequence_output,
            "encoder_outputs": encoder_outputs,
            "default": pooled_output,
        }

    def _kept_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        heads, head_width = self.architecture.heads, self.architecture.width // self.architecture.heads
        if "/self_attention/" not in name or name.endswith("attention_output/bias"):
            return shape
        if name.endswith("attention_output/kernel"):
            return (heads, head_width, shape[1])
        return (*shape[:-1], heads, head_width)

    def _assert_length(self, length: tf.Tensor) -> tf.Operation:
        positions = self.architecture.positions
        message = f"input_word_ids is longer than the {positions} positions of this model: cut the texts shorter"
        return tf.debugging.assert_less_equal(length, positions, message=message)

    def _embed(self, word_ids: tf.Tensor, type_ids: tf.Tensor, training: bool) -> tf.Tensor:
        length = tf.shape(word_ids)[1]
        x = (
            tf.gather(self.weights["word_embeddings/embeddings"], word_ids)
            + self.weights["position_embedding/embeddings"][:length]
            + tf.gather(self.weights["type_embeddings/embeddings"], type_ids)
        )
        return self._dropout(self._normalize(x, "embeddings/layer_norm"), training)

    def _layer(
        self, x: tf.Tensor, bias: tf.Tensor, layer: int, batch: tf.Tensor, length: tf.Tensor, training: bool
    ) -> tf.Tensor:
        name = f"transformer/layer_{layer}"
        attended = self._attend(x, bias, f"{name}/self_attention", batch, length, training)
        x = self._normalize(x + self._dropout(attended, training), f"{name}/self_attention_layer_norm")
        inner = ACTIVATIONS[self.architecture.activation](self._dense(x, f"{name}/intermediate"))
        outer = self._dropout(self._dense(inner, f"{name}/output"), training)
        return self._normalize(x + outer, f"{name}/output_layer_norm")

    def _attend(
        self, x: tf.Tensor, bias: tf.Tensor, name: str, batch: tf.Tensor, length: tf.Tensor, training: bool
    ) -> tf.Tensor:
        width, heads = self.architecture.width, self.architecture.heads

        def by_head(part: str) -> tf.Tensor:
            y = tf.reshape(self._dense(x, f"{name}/{part}"), [batch, length, heads, width // heads])
            return tf.transpose(y, [0, 2, 1, 3])

        query = by_head("query") * (width // heads) ** -0.5
        scores = tf.matmul(query, by_head("key"), transpose_b=True) + bias
        shares = tf.nn.softmax(scores)
        if training:
            shares = tf.nn.dropout(shares, self.architecture.attention_dropout)
        context = tf.transpose(tf.matmul(shares, by_head("value")), [0, 2, 1, 3])
        return self._dense(tf.reshape(context, [batch * length, width]), f"{name}/attention_output")

    def _dense(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """A dense layer over rows [n, inputs]; kernels divided into heads are taken as the matrices they are."""
        inputs = x.shape[-1]
        kernel = tf.reshape(self.weights[f"{name}/kernel"], [inputs, -1])
        bias = tf.reshape(self.weights[f"{name}/bias"], [-1])
        return tf.nn.bias_add(tf.matmul(x, kernel), bias)

    def _normalize(self, x: tf.Tensor, name: str) -> tf.Tensor:
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
        scaled = centred * tf.math.rsqrt(variance + self.architecture.layer_norm_epsilon)
        return scaled * self.weights[f"{name}/gamma"] + self.weights[f"{name}/beta"]

    def _dropout(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.nn.dropout(x, self.architecture.dropout) if training else x
