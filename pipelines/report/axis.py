"""Axes: a range of numbers, with round ticks."""

import math
from dataclasses import dataclass

import numpy as np

from pipelines.report.written import number

# The least range of an axis that does not begin at 0, as a share of the numbers on it.
LEAST_SHARE = 1e-3

TIME_UNITS = ((1, "seconds", 180), (60, "minutes", 180), (3600, "hours", 96), (86400, "days", math.inf))


@dataclass(frozen=True)
class Axis:
    """low, high: its ends. ticks: round numbers between them, ascending. title: what is measured, in which unit."""

    low: float
    high: float
    ticks: tuple[float, ...]
    title: str

    def share(self, values: np.ndarray | float) -> np.ndarray:
        """How far along the axis each value is, 0 to 1."""
        return np.clip((np.asarray(values) - self.low) / (self.high - self.low), 0, 1)

    def labels(self) -> list[tuple[float, str]]:
        """Each tick's share and text."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        return [(float(self.share(tick)), number(tick, step)) for tick in self.ticks]


def from_zero(high: float, title: str, most: int = 4, least_step: float = 0.0) -> Axis:
    """From 0 to a round number that is not below `high`. least_step: 1 for what is counted."""
    step = round_step(max((high or 1.0) / most, least_step))
    count = max(1, math.ceil(high / step - 1e-9))
    return Axis(0.0, count * step, tuple(step * n for n in range(count + 1)), title)


def up_to(high: float, title: str, most: int = 5, least_step: float = 0.0) -> Axis:
    """From 0 to exactly `high`, which is above 0. least_step: 1 for what is counted."""
    step = round_step(max(high / most, least_step))
    return Axis(0.0, high, tuple(step * n for n in range(math.floor(high / step + 1e-9) + 1)), title)


def around(low: float, high: float, title: str, most: int = 4) -> Axis:
    """Round ends around `low` and `high`, which may be equal."""
    least = max(abs(low), abs(high), 1e-9) * LEAST_SHARE
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    step = round_step((high - low) / most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(first * step, last * step, tuple(step * n for n in range(first, last + 1)), title)


def time_unit(seconds: float) -> tuple[int, str]:
    """The unit in which a time is a number of few digits: its seconds, and its name."""
    return next((size, name) for size, name, most in TIME_UNITS if seconds <= size * most)


def round_step(least: float) -> float:
    """The smallest of …, 0.1, 0.2, 0.5, 1, 2, 5, 10, … that is not below `least`, which is above 0."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
