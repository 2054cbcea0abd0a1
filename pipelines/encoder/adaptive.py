"""Graph or XLA, decided shape by shape from what each costs on this machine.

Compiling a shape with XLA takes seconds and makes each later batch of that shape cheaper. So a shape runs as a
graph until the time it has taken would have paid for compiling it (the ski-rental rule: never worse than twice the
best choice made in hindsight). What compiling costs and saves is measured as it goes; where XLA saves nothing, no
more shapes are compiled.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

# Before the first measurement: one shape of a small encoder on one core.
ASSUMED_COMPILE_SECONDS = 1.0
ASSUMED_SAVING = 0.25
# Under this share saved, compiling is not worth its memory.
LEAST_SAVING = 0.04

BatchFunction = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]


@dataclass
class _ShapeCost:
    graph_seconds: float = 0.0
    graph_calls: int = 0
    compiled_seconds: float = 0.0
    compiled_calls: int = 0


class AdaptiveFunction:
    """A function of (word_ids, mask, type_ids), int32 [B, L], that compiles the shapes that pay for it.

    graph(...) takes any shape; compile_shape(shape) gives the compiled function of one shape. tolerance: by how much
    their values may differ, relative to the largest number (or to 1). clock: in seconds.
    """

    def __init__(
        self,
        graph: BatchFunction,
        compile_shape: Callable[[tuple[int, int]], BatchFunction],
        tolerance: float = 1e-4,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._graph = graph
        self._compile_shape = compile_shape
        self._tolerance = tolerance
        self._clock = clock
        self._costs: dict[tuple[int, int], _ShapeCost] = defaultdict(_ShapeCost)
        self._compiled: dict[tuple[int, int], BatchFunction] = {}
        self._compile_seconds = ASSUMED_COMPILE_SECONDS
        self._saving = ASSUMED_SAVING
        self._off = False

    @property
    def compiled_shapes(self) -> frozenset[tuple[int, int]]:
        """The shapes (rows, length) that XLA has compiled so far."""
        return frozenset(self._compiled)

    def warm(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray) -> None:
        """Compiles the shape of these inputs now, if XLA can and that shape is not there."""
        inputs = word_ids, mask, type_ids
        shape = word_ids.shape[0], word_ids.shape[1]
        if not self._off and shape not in self._compiled:
            # The first call of a shape takes longer than any after it, and tells nothing of what XLA saves.
            self._graph(*inputs)
            self._compile(shape, inputs, self._run_graph(shape, inputs))

    def __call__(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray, full: bool) -> np.ndarray:
        """The function's value. full: whether the shape is one of those worth compiling, as that of a
        full batch."""
        shape = word_ids.shape[0], word_ids.shape[1]
        inputs = word_ids, mask, type_ids
        if not full:
            return np.asarray(self._graph(*inputs))
        cost = self._costs[shape]
        if shape in self._compiled:
            try:
                return self._run_compiled(shape, inputs, cost)
            except Exception as error:  # such as out of memory: the graph may still have enough
                log.warning("XLA fails at shape %s; it runs as a graph: %s", shape, str(error)[:300])
                del self._compiled[shape]
                self._off = True
        value = self._run_graph(shape, inputs)
        if not self._off and cost.graph_seconds * self._saving >= self._compile_seconds:
            self._compile(shape, inputs, value)
        return value

    def _run_graph(self, shape: tuple[int, int], inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        value, seconds = self._timed(self._graph, inputs)
        self._costs[shape].graph_seconds += seconds
        self._costs[shape].graph_calls += 1
        return value

    def _run_compiled(self, shape: tuple[int, int], inputs: tuple[np.ndarray, ...], cost: _ShapeCost) -> np.ndarray:
        value, seconds = self._timed(self._compiled[shape], inputs)
        cost.compiled_calls += 1
        cost.compiled_seconds += seconds
        if cost.compiled_calls == 4:
            self._learn_saving()
        return value

    def _timed(self, function: BatchFunction, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, float]:
        start = self._clock()
        value = np.asarray(function(*inputs))
        return value, self._clock() - start

    def _compile(self, shape: tuple[int, int], inputs: tuple[np.ndarray, ...], expected: np.ndarray) -> None:
        """Compiles a shape, and trusts it only if it gives the graph's value on a real batch."""
        try:
            compiled = self._compile_shape(shape)
            value, seconds = self._timed(compiled, inputs)
        except Exception as error:  # an op without an XLA kernel fails in one of several types
            log.warning("XLA cannot compile this encoder; it runs as a graph: %s", str(error)[:300])
            self._off = True
            return
        difference = float(np.max(np.abs(value - expected), initial=0.0))
        if not difference <= self._tolerance * max(1.0, float(np.max(np.abs(expected), initial=0.0))):
            log.warning("XLA's result is off by %g at shape %s; this encoder runs as a graph", difference, shape)
            self._off = True
            self._compiled.clear()
            return
        measured = [self._compile_seconds] * len(self._compiled)
        self._compiled[shape] = compiled
        self._compile_seconds = (sum(measured) + seconds) / len(self._compiled)
        log.info("compiled shape %s in %.1f s", shape, seconds)

    def _learn_saving(self) -> None:
        """What share of the graph's time the compiled shapes save; compiling stops where it is next to nothing."""
        known = [cost for cost in self._costs.values() if cost.compiled_calls >= 4]
        graph = sum(cost.graph_seconds / cost.graph_calls for cost in known)
        compiled = sum(cost.compiled_seconds / cost.compiled_calls for cost in known)
        saving = 1 - compiled / graph
        self._off = self._off or saving < LEAST_SAVING
        self._saving = max(saving, LEAST_SAVING)
