"""Documents become chunks, each of which is packed as a text of its own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.encoder.chunk_bounds import chunk_bounds
from pipelines.encoder.grouped import grouped
from pipelines.encoder.placed_tokens import placed_tokens
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.tokenizer import Tokenizer
from pipelines.encoder.tokens import ChunkPlaces, Chunks, Tokens
from pipelines.errors import UsageError

# Documents that are tokenised together: enough to meet most words again, few enough to bound what is held of them.
GROUP_CHARACTERS = 4 << 20


@dataclass(frozen=True)
class _Document:
    """A document's c chunks. row: which of the distinct chunks each is. own: tokens without the special ones. start,
    end: the characters that it covers. All int [c]. tokens: of the whole document, special ones included."""

    row: np.ndarray
    own: np.ndarray
    start: np.ndarray
    end: np.ndarray
    tokens: int


def document_tokenizer(tokenizer: Tokenizer, spec: EncoderSpec) -> Callable[[Iterable[str]], Tokens]:
    """What makes `Chunks` of documents where the spec asks for chunks, else the tokens of each, cut."""
    return Chunker(tokenizer, spec.chunk_overlap, bool(spec.chunk_pool)) if spec.chunk_tokens else tokenizer


class Chunker:
    """Turns documents into chunks of at most the tokenizer's `max_tokens`. Safe to call from several threads."""

    def __init__(self, tokenizer: Tokenizer, overlap: int, pooled: bool) -> None:
        """overlap: tokens that a chunk repeats of the one before. pooled: whether each document is to have one vector.

        Raises UsageError where the special tokens leave no room.
        """
        self._tokenizer = tokenizer
        self._overlap = overlap
        self._pooled = pooled
        self._room = tokenizer.max_tokens - tokenizer.special
        if overlap >= self._room:
            raise UsageError(
                f"--chunk-tokens {tokenizer.max_tokens}: {tokenizer.special} of them are the preprocessor's own, which "
                f"leaves no room beside an overlap of {overlap}; ask for more"
            )

    def __call__(self, texts: Iterable[str]) -> Chunks:
        """Tokenises and cuts n documents, of which only some are held at a time. Raises as the tokenizer does."""
        numbers: dict[bytes, int] = {}
        groups = grouped(self._tokenizer.checked(texts), GROUP_CHARACTERS)
        documents = [document for group in groups for document in self._cut(group, numbers)]
        return Chunks(
            *self._tokenizer.pack([np.frombuffer(ids, np.int32) for ids in numbers]),
            truncated=np.zeros(len(numbers), bool),
            row=_joined([document.row for document in documents], np.int64),
            places=_places(documents),
            own=_joined([document.own for document in documents], np.int32),
            document_tokens=np.array([document.tokens for document in documents], np.int32),
            pooled=self._pooled,
        )

    def _cut(self, texts: Sequence[str], numbers: dict[bytes, int]) -> Iterator[_Document]:
        """numbers: of all distinct chunks so far, by their ids; a new one gets the next number."""
        for text, placed in zip(texts, placed_tokens(texts, self._tokenizer.token_ids), strict=True):
            bounds = chunk_bounds(placed.tokens, self._room, self._overlap)
            chunks = (placed.ids[start:stop].tobytes() for start, stop in bounds.tolist())
            # A document without a token is one chunk of all of it.
            start, end = placed.characters(bounds) if len(placed.ids) else (np.array([0]), np.array([len(text)]))
            yield _Document(
                row=np.fromiter((numbers.setdefault(ids, len(numbers)) for ids in chunks), np.int64, len(bounds)),
                own=bounds[:, 1] - bounds[:, 0],
                start=start,
                end=end,
                tokens=len(placed.ids) + self._tokenizer.special,
            )


def _places(documents: Sequence[_Document]) -> ChunkPlaces:
    chunks = np.array([len(document.row) for document in documents], np.int64)
    return ChunkPlaces(
        document=np.repeat(np.arange(len(documents)), chunks),
        number=(np.arange(chunks.sum()) - np.repeat(np.cumsum(chunks) - chunks, chunks)).astype(np.int32),
        start=_joined([document.start for document in documents], np.int32),
        end=_joined([document.end for document in documents], np.int32),
    )


def _joined(arrays: Sequence[np.ndarray], dtype: type[np.generic]) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *arrays]).astype(dtype)
