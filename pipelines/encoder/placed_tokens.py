"""The tokens of whole documents, and which characters each is of.

A tokeniser of the encoder API gives ids and no places. So a document is cut into spans, the distinct spans of all
documents are tokenised once, and their numbers of tokens place the document's own. That the spans together have the
document's very tokens is checked for each document: the ids are always those of its whole text, or of a very long one's
parts, each tokenised as a whole.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.encoder.spans import WHITESPACE, between_whitespace, words_and_marks

# A longer document is tokenised in parts, which bounds the memory of the tokenising graph.
PART_CHARACTERS = 1 << 20

# Texts in; all their ids one after the other, int32, and how many each text has, int32 [n].
TokenIds = Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]
SpanCut = Callable[[str], tuple[np.ndarray, np.ndarray]]

# The finest first. Where none fits, a text is one span.
SPAN_CUTS: tuple[SpanCut, ...] = (words_and_marks, between_whitespace)


@dataclass(frozen=True)
class PlacedTokens:
    """A document's tokens without special ones, by spans. ids: int32 [t]. start, end: int32 [s], the characters of each
    span. tokens: int32 [s], how many of the ids it has; their sum is t."""

    ids: np.ndarray
    start: np.ndarray
    end: np.ndarray
    tokens: np.ndarray

    def characters(self, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The characters that some tokens cover: where they start and end, int64 [c] each.

        bounds: int64 [c, 2], the first token and the one after the last, at least one. A bound inside a span, of which
        nobody knows more, is taken to lie at its share of the span's tokens, rounded outward.
        """
        ends = np.cumsum(self.tokens, dtype=np.int64)
        first = np.searchsorted(ends, bounds[:, 0], "right")
        last = np.searchsorted(ends, bounds[:, 1] - 1, "right")
        width, begins = (self.end - self.start).astype(np.int64), ends - self.tokens
        before = width[first] * (bounds[:, 0] - begins[first]) // self.tokens[first]
        behind = width[last] * (ends[last] - bounds[:, 1]) // self.tokens[last]
        return self.start[first] + before, self.end[last] - behind


def placed_tokens(texts: Sequence[str], token_ids: TokenIds) -> list[PlacedTokens]:
    """The tokens of each of n documents, texts that have a UTF-8 form."""
    parts = [parts_of(text) for text in texts]
    placed = _place([part for some in parts for part in some], token_ids)
    placed.reverse()
    # Taken out one by one, so that a document is not held twice.
    return [_one_document(some, [placed.pop() for _ in some]) for some in parts]


def parts_of(text: str) -> list[str]:
    """A text in parts of about PART_CHARACTERS at most, cut before whitespace, or where there is none between spans."""
    parts: list[str] = []
    start = 0
    while len(text) - start > PART_CHARACTERS:
        stop = _last_cut(text, start)
        parts.append(text[start:stop])
        start = stop
    return [*parts, text[start:]]


def _last_cut(text: str, start: int) -> int:
    limit = start + PART_CHARACTERS
    last_space = max(text.rfind(space, start + 1, limit) for space in WHITESPACE)
    if last_space > 0:
        return last_space
    spans, _ = words_and_marks(text[start:limit])
    if len(spans) > 1:
        return start + int(spans[-1])
    # One endless word: it ends at the next whitespace.
    space = re.compile(f"[{WHITESPACE}]").search(text, limit)
    return space.start() if space else len(text)


def _one_document(texts: Sequence[str], parts: Sequence[PlacedTokens]) -> PlacedTokens:
    """The parts of one document as one."""
    if len(parts) == 1:
        return parts[0]
    offsets = np.cumsum([0, *map(len, texts[:-1])], dtype=np.int32)
    return PlacedTokens(
        ids=np.concatenate([part.ids for part in parts]),
        start=np.concatenate([part.start + offset for part, offset in zip(parts, offsets, strict=True)]),
        end=np.concatenate([part.end + offset for part, offset in zip(parts, offsets, strict=True)]),
        tokens=np.concatenate([part.tokens for part in parts]),
    )


def _place(texts: Sequence[str], token_ids: TokenIds) -> list[PlacedTokens]:
    flat, lengths = token_ids(texts)
    ids = np.split(flat, np.cumsum(lengths))[:-1]
    placed: list[PlacedTokens | None] = [None] * len(texts)
    for cut in SPAN_CUTS:
        left = [number for number, found in enumerate(placed) if found is None]
        found = _by_spans([texts[number] for number in left], [ids[number] for number in left], cut, token_ids)
        for number, one in zip(left, found, strict=True):
            placed[number] = one
    return [found or _one_span(text, own) for text, own, found in zip(texts, ids, placed, strict=True)]


def _by_spans(
    texts: Sequence[str], ids: Sequence[np.ndarray], cut: SpanCut, token_ids: TokenIds
) -> list[PlacedTokens | None]:
    """The texts' ids by the spans of a cut; None for a text whose spans have other tokens than the text itself."""
    numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    spans = [_numbered_spans(text, cut, numbers) for text in texts]
    flat, lengths = token_ids(list(numbers))
    first = np.cumsum(lengths, dtype=np.int64) - lengths
    found: list[PlacedTokens | None] = []
    for own, (start, end, which) in zip(ids, spans, strict=True):
        tokens = lengths[which]
        same = int(tokens.sum()) == len(own) and np.array_equal(flat[_ranges(first[which], tokens)], own)
        found.append(PlacedTokens(own, start, end, tokens) if same else None)
    return found


def _numbered_spans(
    text: str, cut: SpanCut, numbers: defaultdict[str, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """start, end and number of each span, int32 [s]. numbers: of all spans so far; a new one gets the next number."""
    start, end = cut(text)
    # A text has a span for nearly every token, and no statement is run for each.
    spans = map(text.__getitem__, map(slice, start.tolist(), end.tolist()))
    return start, end, np.fromiter(map(numbers.__getitem__, spans), np.int32, len(start))


def _ranges(first: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """first[0], first[0] + 1, … for lengths[0] numbers, then the same from first[1], and so on."""
    before = np.cumsum(lengths, dtype=np.int64) - lengths
    return np.repeat(first - before, lengths) + np.arange(int(lengths.sum()))


def _one_span(text: str, ids: np.ndarray) -> PlacedTokens:
    return PlacedTokens(ids, *(np.array([number], np.int32) for number in (0, len(text), len(ids))))
