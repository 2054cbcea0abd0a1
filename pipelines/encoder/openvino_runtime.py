"""OpenVINO as the runtime, on the CPU: one compiled model for all shapes. Imports no TensorFlow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov

# What OpenVINO calls a precision, and the capability that a CPU needs for it.
PRECISIONS = {"float32": ("f32", "FP32"), "bfloat16": ("bf16", "BF16"), "float16": ("f16", "FP16")}


@dataclass(frozen=True)
class OpenVinoModel:
    """model: of an encoder, in float32. inputs: what it calls word_ids, mask and type_ids. owner: of the memory of its
    weights, which the model itself does not keep alive; None where it has them."""

    model: ov.Model
    inputs: Sequence[str]
    owner: object = None


class OpenVinoRuntime:
    """A Runtime. Where the CPU has no arithmetic of the precision asked for, it computes in float32."""

    name = "openvino"
    closed_shapes = False
    compiled_shapes: frozenset[tuple[int, int]] = frozenset()

    def __init__(self, source: OpenVinoModel, precision: str, threads: int | None) -> None:
        """precision: of the matrix products. threads: of the CPU, None for all."""
        core = ov.Core()
        hint, capability = PRECISIONS[precision]
        capable = capability in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.source = source
        self.precision = precision if capable else "float32"
        options = {
            "INFERENCE_PRECISION_HINT": hint if capable else PRECISIONS["float32"][0],
            "NUM_STREAMS": 1,
            # Pinned, the single threads of several workers would all sit on the first core.
            "ENABLE_CPU_PINNING": False,
            **({} if threads is None else {"INFERENCE_NUM_THREADS": threads}),
        }
        self._request = core.compile_model(source.model, "CPU", options).create_infer_request()

    def __call__(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray, full: bool) -> np.ndarray:
        arrays = (np.ascontiguousarray(array) for array in (word_ids, mask, type_ids))
        return self._request.infer(dict(zip(self.source.inputs, arrays, strict=True)), share_inputs=True)[0]

    def warm(self, shapes: Iterable[tuple[int, int]]) -> None:
        """There is nothing to do."""
