"""An encoder, its pooling and its normalisation as one TensorFlow function, which every runtime starts from."""

from dataclasses import dataclass

import tensorflow as tf

from pipelines.encoder.pooling import pool, unit_length
from pipelines.encoder.saved_model import SavedEncoder
from pipelines.encoder.self_check import TEXTS, SelfCheck, sample_batches
from pipelines.encoder.spec import ResolvedSpec
from pipelines.encoder.tokenizer import Tokenizer


@dataclass(frozen=True)
class VectorFunction:
    """Traceable: word_ids, mask, type_ids, int32 [b, L] each, to float32 vectors [b, dim], or [b, L, dim] for
    `sequence`. The spec's dtype comes after the runtimes have been compared."""

    encoder: SavedEncoder
    resolved: ResolvedSpec

    def __call__(self, word_ids: tf.Tensor, mask: tf.Tensor, type_ids: tf.Tensor) -> tf.Tensor:
        outputs = self.encoder.outputs(word_ids, mask, type_ids)
        vectors = pool(outputs, mask, self.resolved.pooling, self.resolved.spec.layers)
        if self.resolved.normalize:
            vectors = unit_length(vectors)
        return tf.cast(vectors, tf.float32)

    @property
    def precision(self) -> str:
        """Of the matrix products, as the user asks for it; the function itself is float32."""
        return self.resolved.spec.precision

    @property
    def specs(self) -> list[tf.TensorSpec]:
        """Its arguments: any number of rows, of any length that the encoder takes."""
        return [tf.TensorSpec([None, self.encoder.fixed_length], tf.int32)] * 3

    def self_check(self, tokenizer: Tokenizer) -> SelfCheck:
        """What TensorFlow gives for the tokens of test texts, which takes it a moment."""
        reference = tf.function(self, input_signature=self.specs, autograph=False)
        return SelfCheck.of(reference, sample_batches(tokenizer(TEXTS), self.encoder.fixed_length))
