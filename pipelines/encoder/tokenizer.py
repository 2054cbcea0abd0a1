"""Texts become packed tokens: the model's own preprocessor, once over each distinct text. Imports no TensorFlow."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pipelines.encoder.grouped import grouped
from pipelines.encoder.token_graphs import Packed, TokenGraphs
from pipelines.encoder.tokens import Tokens
from pipelines.errors import EncorpusError, UsageError

# One call of a graph: enough texts to amortise it, few enough bytes to bound its memory.
CALL_TEXTS = 1024
CALL_BYTES = 4 << 20


class UnencodableTextError(EncorpusError):
    """A text that is not valid Unicode (it holds a lone surrogate), so it has no UTF-8 form to tokenise."""


class Tokenizer:
    """Turns texts into packed tokens of at most `max_tokens`. Safe to call from several threads.

    special: how many special tokens a packed text has. vocabulary, in_calling_thread: as TokenGraphs has them.
    """

    def __init__(self, graphs: TokenGraphs, max_tokens: int) -> None:
        self.graphs = graphs
        self.max_tokens = max_tokens
        (_, mask, _), _ = graphs.of_texts([b""], max_tokens)
        self.special = int(mask.sum())
        self.vocabulary = graphs.vocabulary
        self.in_calling_thread = graphs.in_calling_thread

    def __call__(self, texts: Iterable[str], first: int = 0) -> Tokens:
        """Tokenises n texts; first: the number of the first one, for errors.

        Of the texts, only the distinct ones are held, as UTF-8. Raises UsageError for anything but strings, and
        UnencodableTextError for a text that has no UTF-8 form; both name the text by its number.
        """
        places: dict[bytes, int] = {}
        encoded = (_utf8(text, number) for number, text in enumerate(_several(texts), first))
        row = np.fromiter((places.setdefault(text, len(places)) for text in encoded), np.int64)
        calls = [self.graphs.of_texts(call, self.max_tokens) for call in grouped(places, CALL_BYTES, CALL_TEXTS)]
        full = np.concatenate([np.empty(0, np.int32), *(counts for _, counts in calls)])
        return Tokens(
            *_packed([packed for packed, _ in calls]),
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
        calls = [self.graphs.ids(call) for call in grouped(encoded, CALL_BYTES, CALL_TEXTS)]
        empty = np.empty(0, np.int32)
        return (
            np.concatenate([empty, *(ids for ids, _ in calls)]),
            np.concatenate([empty, *(lengths for _, lengths in calls)]),
        )

    def pack(self, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Packs rows of ids, int32 [tokens] each, with the special ones: word_ids, mask, type_ids and lengths, as
        `Tokens` has them."""
        calls = [rows[start : start + CALL_TEXTS] for start in range(0, len(rows), CALL_TEXTS)]
        return _packed([self._pack(call) for call in calls])

    def _pack(self, rows: Sequence[np.ndarray]) -> Packed:
        counts = np.array([len(row) for row in rows], np.int32)
        return self.graphs.pack(np.concatenate(rows).astype(np.int32), counts, self.max_tokens)


def _packed(calls: Sequence[Packed]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
