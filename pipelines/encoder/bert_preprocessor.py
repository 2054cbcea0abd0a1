"""Turns texts into BERT inputs: the published tokeniser and packer, built from a vocabulary.

The same object serves an encoder in memory and, saved with `tf.saved_model.save`, is the companion
preprocessor of a packaged encoder: `__call__`, `.tokenize`, `.tokenize.get_special_tokens_dict` and
`.bert_pack_inputs` then work on the loaded SavedModel as they do on
https://tfhub.dev/tensorflow/bert_en_uncased_preprocess/3.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from pipelines.errors import UsageError

DEFAULT_SEQ_LENGTH = 128  # what the published preprocessors pack to when no length is asked for

SPECIAL_TOKENS = {
    "start_of_sequence_id": "[CLS]",
    "end_of_segment_id": "[SEP]",
    "padding_id": "[PAD]",
    "mask_id": "[MASK]",
}
UNKNOWN = "[UNK]"


class WordPieceTokenizer(tf.Module):
    """WordPiece tokenisation of whole texts."""

    def __init__(self, vocab_file: str, do_lower_case: bool) -> None:
        super().__init__()
        initializer = tf.lookup.TextFileInitializer(
            vocab_file,
            key_dtype=tf.string,
            key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
            value_dtype=tf.int64,
            value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        try:
            table = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=1)
        except tf.errors.OpError as error:
            reason = error.message.splitlines()[0]
            raise UsageError(f"{vocab_file} is not a usable vocabulary, one token a line: {reason}") from error
        # The extra bucket is the table's own way to say "unknown"; it is no entry of the vocabulary.
        self.vocab_size = int(table.size()) - 1
        tokens = [*SPECIAL_TOKENS.values(), UNKNOWN]
        ids = dict(zip(tokens, table.lookup(tf.constant(tokens)).numpy().tolist(), strict=True))
        missing = [token for token, id_ in ids.items() if id_ >= self.vocab_size]
        if missing:
            raise UsageError(f"{vocab_file} lacks {', '.join(missing)}: give the vocab.txt of a BERT tokenizer")
        self.special_ids = {name: ids[token] for name, token in SPECIAL_TOKENS.items()}
        # Any: the type stubs of TensorFlow and the types of tensorflow-text do not know of each other.
        tokenizer: Any = tf_text.BertTokenizer
        self._tokenizer = tokenizer(table, token_out_type=tf.int32, unknown_token=UNKNOWN, lower_case=do_lower_case)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="sentences")])
    def __call__(self, sentences: tf.Tensor) -> tf.RaggedTensor:
        """Gives int32 [n, words, pieces] for string [n]; the texts are UTF-8."""
        return self._tokenizer.tokenize(sentences)

    @tf.function(input_signature=[])
    def get_special_tokens_dict(self) -> dict[str, tf.Tensor]:
        """Gives the ids of the special tokens and the size of the vocabulary, int32 scalars."""
        ids = self.special_ids | {"vocab_size": self.vocab_size}
        return {name: tf.constant(id_, tf.int32) for name, id_ in ids.items()}


class Packer(tf.Module):
    """Packs tokenised segments into encoder inputs of one length."""

    def __init__(self, special_ids: dict[str, int]) -> None:
        super().__init__()
        self._start = special_ids["start_of_sequence_id"]
        self._end = special_ids["end_of_segment_id"]
        self._padding = special_ids["padding_id"]

    @tf.function(autograph=False)
    def __call__(
        self, inputs: Sequence[tf.RaggedTensor], seq_length: int | tf.Tensor = DEFAULT_SEQ_LENGTH
    ) -> dict[str, tf.Tensor]:
        """Gives input_word_ids, input_mask and input_type_ids, int32 [n, seq_length].

        `inputs` are the segments of each row: int32 [n, tokens] or [n, words, pieces]. Segments too long
        together are cut round-robin: each gets one token in turn until the length is used up. A tensor as
        `seq_length` serves every length with one trace; each Python number is traced anew.
        """
        segments = [s.merge_dims(1, -1) if s.shape.rank > 2 else s for s in inputs]
        room = tf.cast(seq_length, tf.int32) - (len(segments) + 1)
        trimmed = tf_text.RoundRobinTrimmer(tf.maximum(room, 0)).trim(segments)
        ids, type_ids = tf_text.combine_segments(trimmed, start_of_sequence_id=self._start, end_of_segment_id=self._end)
        input_word_ids, input_mask = tf_text.pad_model_inputs(ids, seq_length, pad_value=self._padding)
        input_type_ids, _ = tf_text.pad_model_inputs(type_ids, seq_length)
        packed = {
            "input_word_ids": input_word_ids,
            "input_mask": input_mask,
            "input_type_ids": input_type_ids,
        }
        return {name: tf.cast(values, tf.int32) for name, values in packed.items()}


class BertPreprocessor(tf.Module):
    """The preprocessor of a BERT-style encoder.

    `vocab_file` holds one token a line, with [CLS], [SEP], [PAD], [MASK] and [UNK] among them;
    `do_lower_case` lower-cases texts and strips accents. Raises UsageError for an unusable vocabulary.
    """

    def __init__(self, vocab_file: str, do_lower_case: bool) -> None:
        super().__init__()
        self.tokenize = WordPieceTokenizer(vocab_file, do_lower_case)
        self.bert_pack_inputs = Packer(self.tokenize.special_ids)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="sentences")])
    def __call__(self, sentences: tf.Tensor) -> dict[str, tf.Tensor]:
        """Gives the encoder inputs of string [n], int32 [n, 128] each."""
        return self.bert_pack_inputs([self.tokenize(sentences)], seq_length=DEFAULT_SEQ_LENGTH)
