"""What suits this machine and this encoder: the runtime and the token budget that give the most tokens a second."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.encoder.batching import full_batch_rows
from pipelines.encoder.runtime import Runtime

BUDGETS = (256, 512, 1024, 2048)
# Of a text, in the batches that are tried, unless the encoder takes no such texts; about the median of real corpora.
LENGTH = 32
# A trial takes so many rounds after the first, which takes longer, or ends after so much time.
ROUNDS, SECONDS = 5, 1.0
# Batches that take longer are not tried: their matrices are large enough.
BATCH_SECONDS = 0.5
# A larger budget takes memory, and people who ask wait for it, so it has to save more than this share.
LEAST_GAIN = 0.05
# XLA has saved up to a third of the time; a graph that is slower than the other runtime by more is not compiled.
COMPILING_SAVES = 0.4

# TensorFlow's batches come from a closed set of shapes, whose padding takes about so much of the time.
PADDING = 0.1

TENSORFLOW, OPENVINO = "tensorflow", "openvino"

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]
Clock = Callable[[], float]
# Of a batch; also told whether its shape is one that comes again and again.
RunBatch = Callable[..., object]


@dataclass(frozen=True)
class Calibration:
    """runtime: its name. token_budget: positions of a batch. reason: the measured times, for people."""

    runtime: str
    token_budget: int
    reason: str


def calibrate(
    tensorflow: Runtime, openvino: RunBatch, length: int, token_budget: int, clock: Clock = time.perf_counter
) -> Calibration:
    """Tries both in turn, TensorFlow's graph first and what XLA makes of it where that may be the faster one.

    length: of the texts of the batches that are tried. token_budget: that batches have with TensorFlow, which would
    compile the shapes of each that is tried. clock: in seconds.
    """
    batch = _batch(length, token_budget)
    [seconds] = best_seconds([lambda: openvino(*_batch(length, BUDGETS[0]), full=True)], clock)
    large = seconds > BATCH_SECONDS
    if large:  # whose batches and whose compiling take long
        batch = _batch(length, BUDGETS[0])
    enough = 1 - PADDING
    theirs, ours = best_seconds([lambda: openvino(*batch, full=True), lambda: tensorflow(*batch, full=False)], clock)
    if not large and enough * theirs <= ours < enough * theirs / (1 - COMPILING_SAVES):
        tensorflow.warm([batch[0].shape])
        theirs, ours = best_seconds([lambda: openvino(*batch, full=True), lambda: tensorflow(*batch, full=True)], clock)
    tokens = batch[0].size
    if ours < enough * theirs:
        reason = f"{1e3 * ours:.1f} ms for {tokens} tokens, and {OPENVINO} {1e3 * theirs:.1f} ms"
        return Calibration(TENSORFLOW, token_budget, reason)
    reason = f"{1e3 * theirs:.1f} ms for {tokens} tokens, and {TENSORFLOW} {1e3 * ours:.1f} ms"
    return Calibration(OPENVINO, _best_budget(openvino, length, theirs / tokens, clock), reason)


def openvino_budget(openvino: RunBatch, length: int, token_budget: int, clock: Clock = time.perf_counter) -> int:
    """The budget where there is no choice of runtimes. length, token_budget, clock: as for `calibrate`."""
    batch = _batch(length, token_budget)
    [seconds] = best_seconds([lambda: openvino(*batch, full=True)], clock)
    return _best_budget(openvino, length, seconds / batch[0].size, clock)


def _best_budget(openvino: RunBatch, length: int, seconds_per_token: float, clock: Clock) -> int:
    least = BUDGETS[0]
    batches = {
        budget: _batch(length, budget)
        for budget in BUDGETS
        if budget == least or budget * seconds_per_token <= BATCH_SECONDS
    }
    if len(batches) == 1:
        return least
    seconds = best_seconds([lambda batch=batch: openvino(*batch, full=True) for batch in batches.values()], clock)
    costs = {budget: each / batch[0].size for (budget, batch), each in zip(batches.items(), seconds, strict=True)}
    return smallest_good_budget(costs)


def smallest_good_budget(seconds_per_token: dict[int, float]) -> int:
    """Of budgets and what a token costs with each, the smallest that is as good as the best.

    >>> smallest_good_budget({256: 1.2, 512: 1.03, 1024: 1.0, 2048: 1.05})
    512
    """
    best = min(seconds_per_token.values())
    return min(budget for budget, seconds in seconds_per_token.items() if seconds * (1 - LEAST_GAIN) <= best)


def _batch(length: int, token_budget: int) -> Batch:
    """A full one of texts of this length, int32 [b, L] each."""
    ones = np.ones((full_batch_rows(length, token_budget), length), np.int32)
    return ones, ones, np.zeros_like(ones)


def best_seconds(runs: Sequence[Callable[[], object]], clock: Clock) -> list[float]:
    """Seconds that each takes at its best, when they take turns."""
    best = [np.inf] * len(runs)
    start = clock()
    for number in range(1 + ROUNDS):
        for place, run in enumerate(runs):
            begun = clock()
            run()
            if number:
                best[place] = min(best[place], clock() - begun)
        if number and clock() - start > SECONDS:
            break
    return best
