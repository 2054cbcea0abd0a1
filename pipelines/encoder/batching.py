"""Rows of tokens become batches: sorted by length, cut by token budget, from a closed set of shapes.

A batch's length is a rung of a fixed ladder and its row count follows from the rung, so the encoder sees at
most one full shape a rung. Rows that do not fill a batch of their own rung ride in the last batch of the rung
above, which costs some padding there and no further shape.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Batch:
    """Rows (indexes, longest first) to encode together, padded to `length` tokens each."""

    rows: np.ndarray
    length: int


def length_ladder(max_tokens: int) -> tuple[int, ...]:
    """The lengths that batches are padded to, rising to `max_tokens`: steps of an eighth of the length, at least 8.

    >>> length_ladder(20)
    (8, 16, 20)
    """
    rungs: list[int] = []
    length = 0
    while length < max_tokens:
        step = max(8, 1 << max(0, length.bit_length() - 4))
        length = min(max_tokens, length + step)
        rungs.append(length)
    return tuple(rungs)


def every_length(max_tokens: int) -> tuple[int, ...]:
    """The ladder of what pays nothing for a further shape.

    >>> every_length(3)
    (1, 2, 3)
    """
    return tuple(range(1, max_tokens + 1))


def full_batch_rows(length: int, token_budget: int) -> int:
    """How many rows of `length` tokens a full batch holds."""
    return max(1, token_budget // length)


def half_batch_rows(length: int, token_budget: int) -> int:
    """How many rows of `length` tokens fill half of the budget, at least one."""
    return full_batch_rows(length, token_budget // 2)


def closed_rows(rows: int, length: int, token_budget: int) -> int:
    """The least row count of a closed set that holds so many rows, at most those of a full batch: steps of a quarter of
    the count, at least 1, and those of half a batch and of a full one.

    >>> [closed_rows(rows, 8, 512) for rows in (1, 5, 9, 17, 33, 60)], closed_rows(9, 56, 512)
    ([1, 5, 10, 20, 40, 64], 9)
    """
    count = 0
    while count < rows:
        count += max(1, 1 << max(0, count.bit_length() - 3))
    return min(
        fit
        for fit in (count, half_batch_rows(length, token_budget), full_batch_rows(length, token_budget))
        if fit >= rows
    )


def cut_batches(lengths: np.ndarray, ladder: tuple[int, ...], token_budget: int) -> list[Batch]:
    """Cuts rows of the given lengths (int [n], each at most the top rung) into batches, longest rows first.

    Every row is in exactly one batch; every batch but the last is full for its length.
    """
    order = np.argsort(-lengths, kind="stable")
    rungs = np.asarray(ladder)[np.searchsorted(ladder, lengths[order])]
    batches: list[Batch] = []
    start = 0
    while start < len(order):
        length = int(rungs[start])
        stop = start + full_batch_rows(length, token_budget)
        batches.append(Batch(order[start:stop], length))
        start = stop
    return batches


def close_groups(lengths: np.ndarray, call_tokens: int) -> list[np.ndarray]:
    """Cuts a batch's rows (int [n] tokens each) into groups with little padding, longest first: indexes of rows.

    A group ends where one more row would bring its padding above `call_tokens`, which is what another call costs.

    >>> [group.tolist() for group in close_groups(np.array([4, 30, 28, 5]), 16)]
    [[1, 2], [3, 0]]
    """
    order = np.argsort(-lengths, kind="stable")
    starts, padding = [0], 0
    for place, length in enumerate(lengths[order].tolist()):
        longest = int(lengths[order[starts[-1]]])
        padding += longest - length
        if padding > call_tokens:
            starts.append(place)
            padding = 0
    return np.split(order, starts[1:])
