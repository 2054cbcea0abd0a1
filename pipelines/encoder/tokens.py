"""Packed tokens: what a tokeniser hands to the encoder. Imports no TensorFlow."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np


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

    def part(self, rows: np.ndarray) -> "Tokens":
        """The tokens of some of the texts. rows: their indexes, int [m]."""
        distinct, row = np.unique(self.row[rows], return_inverse=True)
        return replace(self.of_rows(distinct), row=row)

    def of_rows(self, rows: np.ndarray) -> "Tokens":
        """The tokens of some of the distinct texts, each of them once. rows: int [m], of the u."""
        arrays = (self.word_ids, self.mask, self.type_ids, self.lengths, self.truncated)
        return Tokens(*(array[rows] for array in arrays), row=np.arange(len(rows)))


@dataclass(frozen=True)
class ChunkPlaces:
    """Where the c chunks of n documents lie. Every document has a chunk at least, and its chunks stand together.

    document: int64 [c], from 0 to n - 1, ascending. number: int32 [c], from 0 in each document. start, end: int32 [c],
    the characters (Unicode code points) of the document that the chunk covers, `text[start:end]`.
    """

    document: np.ndarray
    number: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """The index of each document's first chunk, int64 [n]."""
        return np.flatnonzero(self.number == 0)

    @property
    def ranges(self) -> Iterator[tuple[int, int]]:
        """Each document's chunks: the index of the first, and the one after that of the last."""
        return itertools.pairwise([*self.first.tolist(), len(self.number)])

    def parts(self, texts: list[str]) -> Iterator[str]:
        """The chunks' own parts of the n documents' texts, one after the other."""
        cuts = zip(self.document.tolist(), self.start.tolist(), self.end.tolist(), strict=True)
        return (texts[document][start:end] for document, start, end in cuts)

    def of(self, chosen: np.ndarray) -> "ChunkPlaces":
        """Those of the documents for which chosen, bool [n], is true."""
        chunks = chosen[self.document]
        numbers = np.cumsum(chosen) - 1
        return ChunkPlaces(numbers[self.document[chunks]], self.number[chunks], self.start[chunks], self.end[chunks])


@dataclass(frozen=True)
class Chunks(Tokens):
    """The packed tokens of c chunks, for which `Tokens` says text; none is truncated.

    own: int32 [c], a chunk's tokens without the special ones. document_tokens: int32 [n], all tokens of each document,
    those of two chunks once, and the special ones once. pooled: whether each document is to have one vector.
    """

    places: ChunkPlaces
    own: np.ndarray
    document_tokens: np.ndarray
    pooled: bool
