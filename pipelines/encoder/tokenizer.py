"""Texts become packed tokens: the model's own preprocessor, once over each distinct text.

The companion preprocessor's `.tokenize` and `.bert_pack_inputs` are called directly, so that the packed length
is ours. Legacy modules without a companion carry `.vocab_file` and `.do_lower_case`; from these the same two
functions are built.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.encoder.bert_preprocessor import BertPreprocessor
from pipelines.encoder.saved_model import INPUT_NAMES, load_saved_model
from pipelines.encoder.spec import ResolvedSpec
from pipelines.errors import EncorpusError, ModelError, UsageError, first_line

# One call of the tokenising graph: enough texts to amortise it, few enough bytes to bound its memory.
CHUNK_TEXTS = 1024
CHUNK_BYTES = 4 << 20


class UnencodableTextError(EncorpusError):
    """A text that is not valid Unicode (it holds a lone surrogate), so it has no UTF-8 form to tokenise."""


@dataclass(frozen=True)
class Tokens:
    """The packed tokens of n texts, distinct texts once.

    word_ids, mask, type_ids: int32 [u, L]; lengths: int32 [u], tokens with the special ones, at most L;
    truncated: bool [u], whether the text had more; row: int64 [n], which of the u each text is.
    """

    word_ids: np.ndarray
    mask: np.ndarray
    type_ids: np.ndarray
    lengths: np.ndarray
    truncated: np.ndarray
    row: np.ndarray


class Tokenizer:
    """Turns texts into packed tokens of at most `max_tokens`. Safe to call from several threads."""

    def __init__(self, preprocessor: Any, max_tokens: int, told: str) -> None:
        """told: what errors call the preprocessor. Raises ModelError when it is none."""
        for name in ("tokenize", "bert_pack_inputs"):
            if not callable(getattr(preprocessor, name, None)):
                raise ModelError(f"{told}: not a companion preprocessor of the encoder API: it has no `{name}`")
        self._preprocessor = preprocessor
        self._max_tokens = max_tokens
        self._graph = tf.function(self._pack, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
        try:
            self._special = int(self._graph(tf.constant([""]))[1].numpy().sum())
        except Exception as error:  # its functions may take or give anything
            raise ModelError(
                f"{told}: not a companion preprocessor of the encoder API: it fails on a text: {first_line(error)}"
            ) from error

    @classmethod
    def of(cls, resolved: ResolvedSpec, encoder_module: Any) -> "Tokenizer":
        """The companion preprocessor's tokenizer, or the one that the encoder's own vocabulary gives.

        Raises ModelError where there is neither.
        """
        spec, folder = resolved.spec, resolved.preprocessor_folder
        if folder is not None:
            told = f"--preprocessor {spec.preprocessor}" if spec.preprocessor else f"preprocessor {folder}"
            return cls(load_saved_model(folder), resolved.max_tokens, told)
        vocabulary = getattr(encoder_module, "vocab_file", None)
        lower_case = getattr(encoder_module, "do_lower_case", None)
        if vocabulary is None or lower_case is None:
            raise ModelError(
                f"model {spec.model}: it carries no vocabulary: name its companion preprocessor with --preprocessor"
            )
        path = bytes(vocabulary.asset_path.numpy()).decode()
        return cls(BertPreprocessor(path, bool(lower_case.numpy())), resolved.max_tokens, f"model {spec.model}")

    def __call__(self, texts: Iterable[str], first: int = 0) -> Tokens:
        """Tokenises n texts; first: the number of the first one, for errors.

        Of the texts, only the distinct ones are held, as UTF-8. Raises UsageError for anything but strings, and
        UnencodableTextError for a text that has no UTF-8 form; both name the text by its number.
        """
        if isinstance(texts, str | bytes):
            raise UsageError(f"one text, {str(texts)[:50]!r}, where a list of texts is needed: put it into a list")
        places: dict[bytes, int] = {}
        encoded = (_utf8(text, number) for number, text in enumerate(texts, first))
        row = np.fromiter((places.setdefault(text, len(places)) for text in encoded), np.int64)
        chunks = [[array.numpy() for array in self._graph(tf.constant(chunk))] for chunk in _chunks(places)]
        if not chunks:
            empty = np.zeros((0, 1), np.int32)
            return Tokens(empty, empty, empty, np.zeros(0, np.int32), np.zeros(0, bool), row)
        word_ids, mask, type_ids, full = (np.concatenate(arrays) for arrays in zip(*chunks, strict=True))
        lengths = mask.sum(axis=1, dtype=np.int32)
        longest = int(lengths.max())
        return Tokens(
            word_ids=np.ascontiguousarray(word_ids[:, :longest]),
            mask=np.ascontiguousarray(mask[:, :longest]),
            type_ids=np.ascontiguousarray(type_ids[:, :longest]),
            lengths=lengths,
            truncated=full + self._special > self._max_tokens,
            row=row,
        )

    def _pack(self, texts: tf.Tensor) -> tuple[tf.Tensor, ...]:
        tokens = self._preprocessor.tokenize(texts)
        packed = self._preprocessor.bert_pack_inputs([tokens], seq_length=tf.constant(self._max_tokens, tf.int32))
        flat = tokens.merge_dims(1, -1) if tokens.ragged_rank > 1 else tokens
        return (*(tf.cast(packed[name], tf.int32) for name in INPUT_NAMES), tf.cast(flat.row_lengths(), tf.int32))


def _utf8(text: str, number: int) -> bytes:
    if not isinstance(text, str):
        raise UsageError(f"text {number}: it is of type {type(text).__name__} and not a str")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnencodableTextError(
            f"text {number}: not valid Unicode: "
            f"a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start}"
        ) from None


def _chunks(texts: Iterable[bytes]) -> list[list[bytes]]:
    chunks: list[list[bytes]] = []
    size = 0
    for text in texts:
        if not chunks or len(chunks[-1]) == CHUNK_TEXTS or size + len(text) > CHUNK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(text)
        size += len(text)
    return chunks
