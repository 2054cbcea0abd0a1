"""Texts become packed tokens: the model's own preprocessor, once over each distinct text.

The companion preprocessor's `.tokenize` and `.bert_pack_inputs` are called directly, so that the packed length
is ours. Legacy modules without a companion carry `.vocab_file` and `.do_lower_case`; from these the same two
functions are built.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.encoder.bert_preprocessor import BertPreprocessor
from pipelines.encoder.grouped import grouped
from pipelines.encoder.saved_model import INPUT_NAMES, load_saved_model
from pipelines.encoder.spec import ResolvedSpec
from pipelines.encoder.tokens import Tokens
from pipelines.errors import EncorpusError, ModelError, UsageError, first_line

# One call of a graph: enough texts to amortise it, few enough bytes to bound its memory.
CALL_TEXTS = 1024
CALL_BYTES = 4 << 20


class UnencodableTextError(EncorpusError):
    """A text that is not valid Unicode (it holds a lone surrogate), so it has no UTF-8 form to tokenise."""


class Tokenizer:
    """Turns texts into packed tokens of at most `max_tokens`. Safe to call from several threads.

    special: how many special tokens a packed text has. vocabulary: ids go from 0 to one less; None where the
    preprocessor does not tell.
    """

    def __init__(self, preprocessor: Any, max_tokens: int, told: str) -> None:
        """told: what errors call the preprocessor. Raises ModelError when it is none."""
        for name in ("tokenize", "bert_pack_inputs"):
            if not callable(getattr(preprocessor, name, None)):
                raise ModelError(f"{told}: not a companion preprocessor of the encoder API: it has no `{name}`")
        self._preprocessor = preprocessor
        self.max_tokens = max_tokens
        self._ids_graph = _graph_of_texts(self._ids)
        rows = [tf.TensorSpec([None], tf.int32)] * 2
        self._pack_graph = tf.function(self._pack_rows, input_signature=rows, autograph=False)
        # What `.tokenize` gives, known from when the graph is made: here, since there is a text to tokenise.
        self._form: Any = None
        try:
            # Concrete, since what tf.function does before it takes as long as a fifth of a short text.
            self._graph = _graph_of_texts(self._tokenize_and_pack).get_concrete_function()
            self.special = int(self._graph(tf.constant([""]))[1].numpy().sum())
        except Exception as error:  # its functions may take or give anything
            raise ModelError(
                f"{told}: not a companion preprocessor of the encoder API: it fails on a text: {first_line(error)}"
            ) from error
        self.vocabulary = _vocabulary(preprocessor)

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
        places: dict[bytes, int] = {}
        encoded = (_utf8(text, number) for number, text in enumerate(_several(texts), first))
        row = np.fromiter((places.setdefault(text, len(places)) for text in encoded), np.int64)
        calls = [_numpy(self._graph(tf.constant(call))) for call in grouped(places, CALL_BYTES, CALL_TEXTS)]
        full = np.concatenate([np.empty(0, np.int32), *(counts for *_, counts in calls)])
        return Tokens(
            *_packed([packed for *packed, _ in calls]),
            truncated=full + self.special > self.max_tokens,
            row=row,
        )

    def checked(self, texts: Iterable[str]) -> Iterator[str]:
        """The texts as they come; raises as a call does."""
        for number, text in enumerate(_several(texts)):
            _utf8(text, number)
            yield text

    def token_ids(self, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts, uncut and without special ones: all of them int32 [t], and how many a text int32 [n]."""
        encoded = (text.encode() for text in texts)
        calls = [_numpy(self._ids_graph(tf.constant(call))) for call in grouped(encoded, CALL_BYTES, CALL_TEXTS)]
        empty = np.empty(0, np.int32)
        return (
            np.concatenate([empty, *(ids for ids, _ in calls)]),
            np.concatenate([empty, *(lengths for _, lengths in calls)]),
        )

    def pack(self, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Packs rows of ids, int32 [tokens] each, with the special ones: word_ids, mask, type_ids and lengths, as
        `Tokens` has them."""
        calls = [rows[start : start + CALL_TEXTS] for start in range(0, len(rows), CALL_TEXTS)]
        return _packed([_numpy(self._pack_graph(np.concatenate(call), list(map(len, call)))) for call in calls])

    def _ids(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        flat = _flat(self._preprocessor.tokenize(texts))
        return tf.cast(flat.flat_values, tf.int32), tf.cast(flat.row_lengths(), tf.int32)

    def _tokenize_and_pack(self, texts: tf.Tensor) -> tuple[tf.Tensor, ...]:
        tokens = self._preprocessor.tokenize(texts)
        self._form = tf.type_spec_from_value(tokens)
        return (*self._pack(tokens), tf.cast(_flat(tokens).row_lengths(), tf.int32))

    def _pack_rows(self, ids: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Packs ids in the form in which `.tokenize` gives them, which is the one that the packer surely takes."""
        form = self._form
        ragged: Any = tf.RaggedTensor
        rows = ragged.from_row_lengths(tf.cast(ids, form.dtype), tf.cast(lengths, form.row_splits_dtype))
        return self._pack(tf.expand_dims(rows, 1) if form.ragged_rank > 1 else rows)

    def _pack(self, tokens: tf.RaggedTensor) -> tuple[tf.Tensor, ...]:
        packed = self._preprocessor.bert_pack_inputs([tokens], seq_length=tf.constant(self.max_tokens, tf.int32))
        return tuple(tf.cast(packed[name], tf.int32) for name in INPUT_NAMES)


def _vocabulary(preprocessor: Any) -> int | None:
    """How many ids there are, which the published preprocessors tell, and others need not."""
    try:
        return int(preprocessor.tokenize.get_special_tokens_dict()["vocab_size"])
    except Exception:  # there is no such function, or it takes or gives anything
        return None


def _graph_of_texts(function: Callable) -> Any:
    return tf.function(function, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


def _flat(tokens: Any) -> Any:
    """Ragged tokens [n, tokens], from these or from [n, words, pieces]."""
    return tokens.merge_dims(1, -1) if tokens.ragged_rank > 1 else tokens


def _numpy(tensors: Sequence[tf.Tensor]) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in tensors]


def _packed(calls: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """word_ids, mask, type_ids [u, L] of all calls, as wide as the longest row, and the rows' lengths."""
    if not calls:
        empty = np.zeros((0, 1), np.int32)
        return empty, empty, empty, np.zeros(0, np.int32)
    word_ids, mask, type_ids = calls[0] if len(calls) == 1 else map(np.concatenate, zip(*calls, strict=True))
    lengths = mask.sum(axis=1, dtype=np.int32)
    longest = int(lengths.max())
    word_ids, mask, type_ids = (np.ascontiguousarray(array[:, :longest]) for array in (word_ids, mask, type_ids))
    return word_ids, mask, type_ids, lengths


def _several(texts: Iterable[str]) -> Iterable[str]:
    if isinstance(texts, str | bytes):
        raise UsageError(f"one text, {str(texts)[:50]!r}, where a list of texts is needed: put it into a list")
    return texts


def _utf8(text: str, number: int) -> bytes:
    if not isinstance(text, str):
        raise UsageError(f"text {number}: it is of type {type(text).__name__} and not a str")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise UnencodableTextError(
            f"text {number}: not valid Unicode: "
            f"a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start}"
        ) from None
