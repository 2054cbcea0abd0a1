"""Amounts over time, in bins whose number is bounded however long a run takes: when it is full, they double."""

import math
from collections.abc import Sequence

import numpy as np

BINS = 240

# A run of seconds still shows its course.
FIRST_WIDTH = 1 / 16


class Timeline:
    """Sums over bins of equal time; times are seconds from the run's start, not below 0."""

    def __init__(self, series: int) -> None:
        """series: how many amounts are kept beside each other."""
        self.width = FIRST_WIDTH
        self._amounts = np.zeros((series, BINS))
        # A bit a worker, so that one with two units in hand counts once.
        self._workers = [0] * BINS

    def add(self, start: float, stop: float, worker: int, amounts: Sequence[float]) -> None:
        """Spreads amounts evenly from start to stop, and notes that the worker, a number from 0, was busy then."""
        while stop > BINS * self.width:
            self._double()
        edges = np.arange(BINS + 1) * self.width
        overlap = np.clip(np.minimum(stop, edges[1:]) - np.maximum(start, edges[:-1]), 0, None)
        if not overlap.any():
            # At an edge it belongs to the bin before, which is there whatever the end is.
            overlap[max(math.ceil(start / self.width) - 1, 0)] = 1.0
        self._amounts += np.outer(amounts, overlap / overlap.sum())
        for place in np.flatnonzero(overlap):
            self._workers[place] |= 1 << worker

    def until(self, end: float) -> tuple[np.ndarray, np.ndarray]:
        """Amounts, float64 [series, n], and how many workers were busy, int64 [n], of the bins from 0 to `end`."""
        while end > BINS * self.width:
            self._double()
        n = min(BINS, max(1, math.ceil(end / self.width)))
        return self._amounts[:, :n].copy(), np.array([bits.bit_count() for bits in self._workers[:n]], np.int64)

    def _double(self) -> None:
        series = len(self._amounts)
        halves = self._amounts.reshape(series, BINS // 2, 2).sum(axis=2)
        self._amounts = np.concatenate([halves, np.zeros((series, BINS // 2))], axis=1)
        pairs = zip(self._workers[::2], self._workers[1::2], strict=True)
        self._workers = [one | other for one, other in pairs] + [0] * (BINS // 2)
        self.width *= 2
