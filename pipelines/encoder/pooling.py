"""Encoder outputs become vectors: pooling, mean over layers, normalisation. Runs inside the TensorFlow graph."""

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class EncoderOutputs:
    """What an encoder gives for a batch: pooled [B, W], sequence [B, L, W], and each layer's [B, L, W]."""

    pooled: tf.Tensor
    sequence: tf.Tensor
    layers: tuple[tf.Tensor, ...]


def pool(outputs: EncoderOutputs, mask: tf.Tensor, pooling: str, layers: tuple[int, ...]) -> tf.Tensor:
    """The vectors of a batch: float32 [B, W], or [B, L, W] for `sequence`.

    mask: int32 [B, L], 1 where there is a token. `mean` and `max` see tokens only, special ones included, as
    sentence-transformers defines them.
    """
    if pooling == "pooled":
        return outputs.pooled
    states = _mean_of_layers(outputs, layers) if layers else outputs.sequence
    if pooling == "cls":
        return states[:, 0, :]
    if pooling == "sequence":
        return states
    present = tf.cast(mask, states.dtype)[:, :, tf.newaxis]
    if pooling == "mean":
        return tf.math.divide_no_nan(tf.reduce_sum(states * present, axis=1), tf.reduce_sum(present, axis=1))
    return tf.reduce_max(tf.where(present > 0, states, states.dtype.min), axis=1)


def unit_length(vectors: tf.Tensor) -> tf.Tensor:
    """Vectors divided by their Euclidean norm; a zero vector stays zero."""
    return tf.math.divide_no_nan(vectors, tf.norm(vectors, axis=-1, keepdims=True))


def _mean_of_layers(outputs: EncoderOutputs, layers: tuple[int, ...]) -> tf.Tensor:
    return tf.add_n([outputs.layers[layer] for layer in layers]) / len(layers)
