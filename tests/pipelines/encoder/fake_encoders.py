"""Small encoders that TensorFlow saves in a moment, each with some quirk of the published ones or of broken ones."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.tiny_model import VOCABULARY

NAMES = ("input_word_ids", "input_mask", "input_type_ids")
WIDTH = 8


def specs(length: int | None = None) -> dict[str, tf.TensorSpec]:
    """The inputs of an encoder that takes rows of this length, or of any."""
    return {name: tf.TensorSpec([None, length], tf.int32, name=name) for name in NAMES}


class FakeEncoder(tf.Module):
    """A lookup in a table; `pooled_output` is the tanh of the rows' mean. Dropout of a half, when training.

    positions: rows of a position embedding table, which is added.
    """

    def __init__(self, positions: int | None = None, pooled_width: int = WIDTH) -> None:
        super().__init__()
        self.table = tf.Variable(tf.random.stateless_normal([len(VOCABULARY), WIDTH], (1, 2)), name="word_embeddings")
        self.pooler = tf.Variable(tf.random.stateless_normal([WIDTH, pooled_width], (3, 4)), name="pooler/kernel")
        table = tf.zeros([positions or 0, WIDTH])
        self.places = tf.Variable(table, name="position_embedding/embeddings") if positions else None

    def encode(self, word_ids: tf.Tensor, training: Any = False) -> dict[str, tf.Tensor]:
        states = tf.gather(self.table, word_ids)
        if self.places is not None:
            states += self.places[: tf.shape(word_ids)[1]]
        if training:
            states = tf.nn.dropout(states, 0.5)
        pooled = tf.tanh(tf.reduce_mean(states, 1) @ self.pooler)
        return {"pooled_output": pooled, "sequence_output": states, "default": pooled}


def save(encoder: Any, call: Any, folder: Path, *traces: tuple[tuple, dict]) -> Path:
    """Saves the encoder with this call, traced for each of these arguments."""
    function: Any = tf.function(call)
    for arguments, options in traces:
        function.get_concrete_function(*arguments, **options)
    encoder.__call__ = function
    tf.saved_model.save(encoder, str(folder))
    return folder


def save_plain(folder: Path, length: int | None = None, **quirks: Any) -> Path:
    """An encoder without a `training` argument, dict in and dict out."""
    encoder = FakeEncoder(**quirks)
    return save(encoder, lambda inputs: encoder.encode(inputs["input_word_ids"]), folder, ((specs(length),), {}))
