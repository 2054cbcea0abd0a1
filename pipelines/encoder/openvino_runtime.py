"""OpenVINO as the runtime, on the CPU: one compiled model for all shapes."""

from collections.abc import Iterable

import numpy as np
import openvino as ov
import tensorflow as tf
from openvino.frontend import FrontEndManager

from pipelines.encoder.openvino_graph import rewrite
from pipelines.encoder.vector_function import VectorFunction

# What OpenVINO calls a precision, and the capability that a CPU needs for it.
PRECISIONS = {"float32": ("f32", "FP32"), "bfloat16": ("bf16", "BF16"), "float16": ("f16", "FP16")}


class OpenVinoRuntime:
    """A Runtime. Where the CPU has no arithmetic of the precision asked for, it computes in float32."""

    name = "openvino"
    closed_shapes = False
    compiled_shapes: frozenset[tuple[int, int]] = frozenset()

    def __init__(self, function: VectorFunction, threads: int | None) -> None:
        """threads: of the CPU, None for all. Raises what OpenVINO raises where it knows an operation not."""
        core = ov.Core()
        hint, capability = PRECISIONS[function.precision]
        capable = capability in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = function.precision if capable else "float32"
        options = {
            "INFERENCE_PRECISION_HINT": hint if capable else PRECISIONS["float32"][0],
            "NUM_STREAMS": 1,
            # Pinned, the single threads of several workers would all sit on the first core.
            "ENABLE_CPU_PINNING": False,
            **({} if threads is None else {"INFERENCE_NUM_THREADS": threads}),
        }
        # Its variables' memory is that of the model's constants.
        self._function = function
        model, self._names = converted(function)
        self._request = core.compile_model(model, "CPU", options).create_infer_request()

    def __call__(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray, full: bool) -> np.ndarray:
        arrays = (np.ascontiguousarray(array) for array in (word_ids, mask, type_ids))
        return self._request.infer(dict(zip(self._names, arrays, strict=True)), share_inputs=True)[0]

    def warm(self, shapes: Iterable[tuple[int, int]]) -> None:
        """There is nothing to do."""


def converted(function: VectorFunction) -> tuple[ov.Model, list[str]]:
    """The function as an OpenVINO model, and what it calls word_ids, mask and type_ids. Its weights are TensorFlow's
    own memory.

    Not by `openvino.convert_model`, which reports its use over the network.
    """
    from openvino.frontend.tensorflow.graph_iterator import GraphIteratorTFGraph

    traced = tf.function(function, autograph=False).get_concrete_function(*function.specs)
    frontend = FrontEndManager().load_by_framework("tf")
    nodes = GraphIteratorTFGraph(traced.graph, share_weights=True)  # which nothing else keeps alive
    model = frontend.convert(frontend.load(nodes))
    rewrite(model)
    return model, [tensor.name for tensor in traced.inputs[:3]]
