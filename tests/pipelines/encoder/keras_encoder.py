"""A small BERT as Keras layers say it, and so the published encoders: products as Einsum, types as one-hot vectors,
and -1e9 on padding."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.pipelines.encoder.fake_encoders import save, specs
from tests.tiny_model import HEADS, INNER, LAYERS, POSITIONS, VOCABULARY, WIDTH

MASKED = -1e9


class KerasEncoder(tf.Module):
    """shared: whether all layers have the weights of the first, as in ALBERT. scale: of the queries; at 1.0, attention
    looks at a few tokens alone, as in trained models."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        self._seed = 0
        self.words = self._weights(len(VOCABULARY), WIDTH)
        self.places = self._weights(POSITIONS, WIDTH)
        self.types = self._weights(2, WIDTH)
        self.pooler = self._weights(WIDTH, WIDTH)
        layers = [self._layer_weights() for _ in range(1 if shared else LAYERS)]
        self.layers_weights = layers * (LAYERS if shared else 1)

    def encode(self, inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
        word_ids, mask = inputs["input_word_ids"], inputs["input_mask"]
        length = tf.shape(word_ids)[1]
        types = tf.one_hot(tf.reshape(inputs["input_type_ids"], [-1]), 2) @ self.types
        x = tf.gather(self.words, word_ids) + self.places[:length]
        x = _layer_norm(x + tf.reshape(types, tf.shape(x)))
        visible = tf.ones([tf.shape(word_ids)[0], length, 1]) * tf.cast(mask[:, tf.newaxis, :], tf.float32)
        padding = (1.0 - visible[:, tf.newaxis]) * MASKED
        states = []
        for weights in self.layers_weights:
            x = self._layer(x, padding, weights)
            states.append(x)
        pooled = tf.tanh(x[:, 0] @ self.pooler)
        return {"pooled_output": pooled, "sequence_output": x, "encoder_outputs": states, "default": pooled}

    def _layer(self, x: tf.Tensor, padding: tf.Tensor, weights: dict[str, tf.Variable]) -> tf.Tensor:
        query, key, value = (
            tf.einsum("abc,cde->abde", x, weights[name]) + weights[f"{name}_bias"] for name in ("query", "key", "value")
        )
        scores = tf.einsum("aecd,abcd->acbe", key, query) * (WIDTH // HEADS) ** -0.5
        context = tf.einsum("acbe,aecd->abcd", tf.nn.softmax(scores + padding), value)
        x = _layer_norm(x + tf.einsum("abcd,cde->abe", context, weights["attended"]))
        inner = tf.nn.gelu(tf.einsum("abc,cd->abd", x, weights["inner"]), approximate=True)
        return _layer_norm(x + tf.einsum("abc,cd->abd", inner, weights["outer"]))

    def _layer_weights(self) -> dict[str, tf.Variable]:
        heads = (HEADS, WIDTH // HEADS)
        weights = {name: self._weights(WIDTH, *heads) for name in ("query", "key", "value")}
        weights |= {f"{name}_bias": self._weights(*heads) for name in ("query", "key", "value")}
        return weights | {
            "attended": self._weights(*heads, WIDTH),
            "inner": self._weights(WIDTH, INNER),
            "outer": self._weights(INNER, WIDTH),
        }

    def _weights(self, *shape: int) -> tf.Variable:
        self._seed += 1
        return tf.Variable(0.3 * tf.random.stateless_normal(shape, (self._seed, 0)))


def _layer_norm(x: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, 0.1 * tf.ones([WIDTH]), tf.ones([WIDTH]), 1e-12)


def save_keras_encoder(folder: Path, shared: bool = False) -> Path:
    """Its SavedModel."""
    encoder = KerasEncoder(shared)
    return save(encoder, lambda inputs: encoder.encode(inputs), folder, ((specs(),), {}))
