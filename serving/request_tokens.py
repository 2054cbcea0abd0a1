"""What a request asks to be encoded, as tokens; and why a model does not take it, in the client's words."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pipelines.encoder.tokens import Tokens
from pipelines.errors import EncorpusError, first_line
from serving.http.api_error import ApiError


class ServedTokenizer(Protocol):
    """What serving needs of a Tokenizer. max_tokens, special, vocabulary, in_calling_thread: as there."""

    max_tokens: int
    special: int
    vocabulary: int | None
    in_calling_thread: bool

    def __call__(self, texts: Sequence[str]) -> Tokens: ...

    def pack(self, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]: ...


def request_tokens(
    tokenizer: ServedTokenizer, inputs: Sequence[str] | Sequence[Sequence[int]], truncate: bool
) -> Tokens:
    """The tokens of texts, or of ids without special ones. Raises ApiError where the model does not take them."""
    texts = [item for item in inputs if isinstance(item, str)]
    ids = [np.array(item, np.int32) for item in inputs if not isinstance(item, str)]
    try:
        tokens = tokenizer(texts) if texts else _packed(tokenizer, ids)
    except EncorpusError as error:
        raise ApiError(400, first_line(error), param="input") from None
    if tokens.truncated.any() and not truncate:
        index = int(np.flatnonzero(tokens.truncated[tokens.row])[0])
        raise ApiError(
            400,
            f"'input[{index}]' is longer than this model's maximum context length of {tokenizer.max_tokens} tokens. "
            'Shorten it, or send "truncate": true.',
            code="context_length_exceeded",
            param="input",
        )
    return tokens


def all_tokens(tokens: Tokens) -> int:
    """Of all texts, repeated ones and special tokens included."""
    return int(tokens.lengths[tokens.row].sum())


def _packed(tokenizer: ServedTokenizer, ids: Sequence[np.ndarray]) -> Tokens:
    """Raises ApiError for an id that the model does not have, which would fail the whole micro-batch."""
    if tokenizer.vocabulary is None:
        raise ApiError(400, "This model does not tell its vocabulary: send texts, and no token ids.", param="input")
    for index, row in enumerate(ids):
        if row.min() < 0 or row.max() >= tokenizer.vocabulary:
            raise ApiError(
                400,
                f"'input[{index}]' has a token id that this model does not have: they go from 0 to "
                f"{tokenizer.vocabulary - 1}.",
                param="input",
            )
    counts = np.array([len(row) for row in ids])
    return Tokens(
        *tokenizer.pack(ids), truncated=counts + tokenizer.special > tokenizer.max_tokens, row=np.arange(len(ids))
    )
