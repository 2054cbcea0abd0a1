"""A large request is spread over the replicas: each encodes a part of its rows, in its own online lane."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import numpy as np

from pipelines.encoder.tokens import Tokens

# A part has so many micro-batches at least: it takes some milliseconds to reach another replica and come back.
PART_MICRO_BATCHES = 4

Encode = Callable[[Tokens], Awaitable[Sequence[np.ndarray]]]


class Others(Protocol):
    """The other replicas. count: how many there are."""

    @property
    def count(self) -> int: ...

    async def encode(self, model: str, tokens: Tokens) -> Sequence[np.ndarray]:
        """The vectors of the distinct rows, [dim] each, from one of them. Raises where that has no room, or dies."""
        ...


class NoOthers:
    """Of a replica that is alone."""

    count = 0

    async def encode(self, model: str, tokens: Tokens) -> Sequence[np.ndarray]:
        """As Others.encode, which nobody has reason to ask for."""
        raise NotImplementedError


ALONE = NoOthers()


def parts_of(lengths: np.ndarray, replicas: int, token_budget: int) -> list[np.ndarray]:
    """Which rows go together, as indexes: as many parts as there are replicas, or as are large enough, of about as many
    tokens. lengths: int [u]. token_budget: of a micro-batch."""
    enough = int(lengths.sum()) // (PART_MICRO_BATCHES * token_budget)
    parts = max(1, min(replicas, enough))
    longest_first = np.argsort(-lengths, kind="stable")
    return [longest_first[start::parts] for start in range(parts)]


async def encode_spread(
    tokens: Tokens, parts: Sequence[np.ndarray], here: Encode, elsewhere: Encode
) -> list[np.ndarray]:
    """The vectors of the distinct rows, in their order: of the first part from here, of the others from elsewhere.

    Raises what they do; nothing goes on then, nor when this is cancelled.
    """
    encoders = [here, *[elsewhere] * (len(parts) - 1)]
    tasks = [asyncio.ensure_future(encode(tokens.of_rows(rows))) for encode, rows in zip(encoders, parts, strict=True)]
    try:
        found = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    vectors: list[np.ndarray] = [np.empty(0)] * len(tokens.lengths)
    for rows, values in zip(parts, found, strict=True):
        for row, value in zip(rows.tolist(), values, strict=True):
            vectors[row] = value
    return vectors
