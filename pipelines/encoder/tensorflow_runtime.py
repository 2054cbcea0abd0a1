"""TensorFlow as the runtime: the graph for any shape, XLA for those that pay for compiling."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from pipelines.encoder.adaptive import AdaptiveFunction, BatchFunction
from pipelines.encoder.precision import with_precision
from pipelines.encoder.vector_function import VectorFunction

# By how much XLA's vectors may differ from the graph's, relative to the largest number or to 1: it reorders sums, and
# in reduced precision rounds at other places. More would be a miscompilation.
XLA_TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}


class TensorFlowRuntime:
    """A Runtime."""

    name = "tensorflow"
    closed_shapes = True

    def __init__(self, function: VectorFunction) -> None:
        precision = function.precision
        specs = function.specs
        self._batch = function if precision == "float32" else with_precision(function, precision, specs)
        graph: BatchFunction = tf.function(self._batch, input_signature=specs, autograph=False)
        self._vectors = AdaptiveFunction(graph, self._compile, XLA_TOLERANCE[precision])

    def __call__(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray, full: bool) -> np.ndarray:
        return self._vectors(word_ids, mask, type_ids, full=full)

    def warm(self, shapes: Iterable[tuple[int, int]]) -> None:
        """Compiles these shapes (rows, length), if XLA can."""
        for shape in shapes:
            ones = np.ones(shape, np.int32)
            self._vectors.warm(ones, ones, np.zeros_like(ones))

    @property
    def compiled_shapes(self) -> frozenset[tuple[int, int]]:
        """The shapes (rows, length) that XLA has compiled so far."""
        return self._vectors.compiled_shapes

    def _compile(self, shape: tuple[int, int]) -> BatchFunction:
        compiled = tf.function(self._batch, jit_compile=True, autograph=False)
        return compiled.get_concrete_function(*[tf.TensorSpec(shape, tf.int32)] * 3)
