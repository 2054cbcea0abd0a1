"""Rows of tokens become batches: sorted by length, and cut by token budget.

Where each further shape costs, shapes come from a closed set: a batch's length is a rung of a fixed ladder and its
row count follows from the rung, so the encoder sees at most one full shape a rung. Rows that do not fill a batch of
their own rung ride in the last batch of the rung above, which costs some padding there and no further shape. Where
shapes cost nothing, a batch is as long as its longest row, and rows are cut where padding and calls cost least.
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


def cheapest_batches(lengths: np.ndarray, token_budget: int, call_tokens: int) -> list[Batch]:
    """Cuts rows (int [n] tokens each) into batches of any shape, longest rows first, so that they cost least in all.

    A batch costs its positions, of which there are at most `token_budget` unless it has but one row, and another
    `call_tokens` for being a call.

    >>> [batch.rows.tolist() for batch in cheapest_batches(np.array([4, 30, 28, 5]), 512, 16)]
    [[1, 2], [3, 0]]
    """
    order = np.argsort(-lengths, kind="stable")
    ordered = lengths[order].tolist()
    counts = np.arange(1, len(ordered) + 1)
    # Of the rows from each one on: what they cost at least, and where the first one's batch ends.
    costs = np.zeros(len(ordered) + 1)
    stops = np.zeros(len(ordered), np.int64)
    for start in reversed(range(len(ordered))):
        room = full_batch_rows(ordered[start], token_budget)
        following = costs[start + 1 : start + 1 + room]
        choices = following + ordered[start] * counts[: len(following)]
        best = int(choices.argmin())
        costs[start], stops[start] = choices[best] + call_tokens, start + 1 + best
    batches: list[Batch] = []
    start = 0
    while start < len(ordered):
        stop = int(stops[start])
        batches.append(Batch(order[start:stop], ordered[start]))
        start = stop
    return batches
