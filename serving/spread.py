"""A large request is spread over the replicas: each encodes a part of its rows, in its own online lane."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

import numpy as np

from pipelines.encoder.tokens import Tokens

# A part takes so long to encode at least: it takes some milliseconds to reach another replica and come back.
PART_SECONDS = 0.1


class Others(Protocol):
    """The other replicas. count: how many there are."""

    @property
    def count(self) -> int: ...

    async def encode(self, model: str, fingerprint: str, tokens: Tokens, seconds: float) -> Sequence[np.ndarray]:
        """The vectors of the distinct rows, [dim] each, from one of them, within so many seconds.

        Raises where that has no room, or another model under this name, or dies.
        """
        ...


class NoOthers:
    """Of a replica that is alone."""

    count = 0

    async def encode(self, model: str, fingerprint: str, tokens: Tokens, seconds: float) -> Sequence[np.ndarray]:
        """As Others.encode, which nobody has reason to ask for."""
        raise NotImplementedError


ALONE = NoOthers()


def parts_of(lengths: np.ndarray, replicas: int, rate: float | None) -> list[np.ndarray]:
    """Which rows go together, as indexes: as many parts as there are replicas, or as are large enough, of about as many
    tokens. lengths: int [u]. rate: tokens a second that a replica encodes; None where it is not known yet."""
    enough = int(lengths.sum() / (rate * PART_SECONDS)) if rate else 1
    parts = max(1, min(replicas, enough, len(lengths)))
    longest_first = np.argsort(-lengths, kind="stable")
    return [longest_first[start::parts] for start in range(parts)]


async def gathered(
    parts: Sequence[np.ndarray], encoding: Sequence[Awaitable[Sequence[np.ndarray]]]
) -> list[np.ndarray]:
    """The vectors of the rows of all parts, in the order of the rows. encoding: gives those of each part.

    Raises what they do; none of them goes on then, nor when this is cancelled.
    """
    tasks = [asyncio.ensure_future(one) for one in encoding]
    try:
        found = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    vectors: list[np.ndarray] = [np.empty(0)] * sum(map(len, parts))
    for rows, values in zip(parts, found, strict=True):
        for row, value in zip(rows.tolist(), values, strict=True):
            vectors[row] = value
    return vectors
