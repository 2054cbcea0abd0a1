"""Which runtime an encoder gets: the one that is asked for, or of those that give the right vectors the one that suits
this machine; in reduced precision OpenVINO, so that all workers and replicas have the same."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipelines.encoder.calibration import LENGTH, OPENVINO, TENSORFLOW, Calibration, calibrate, openvino_budget
from pipelines.encoder.execution import (
    AS_ASKED,
    AS_SETTLED,
    CPU_TOKEN_BUDGET,
    GPU_TOKEN_BUDGET,
    Chosen,
    Execution,
)
from pipelines.encoder.kept_calibration import calibrated, calibration_key, kept_calibration
from pipelines.encoder.self_check import TOLERANCE, SelfCheck
from pipelines.encoder.tensorflow_runtime import TensorFlowRuntime
from pipelines.encoder.vector_function import VectorFunction
from pipelines.errors import RuntimeUnfitError, first_line

if TYPE_CHECKING:
    from pipelines.encoder.openvino_runtime import OpenVinoRuntime

log = logging.getLogger(__name__)


class _UnfitError(Exception):
    """Why a runtime is not taken."""


def choose_runtime(execution: Execution, function: VectorFunction, check: Callable[[], SelfCheck]) -> Chosen:
    """The runtime for a function. Warns where OpenVINO is there and unfit.

    check: what OpenVINO is to be tried on.

    Raises RuntimeUnfitError where OpenVINO is asked for and is not there, or does not give the right vectors.
    """
    if execution.wanted == "openvino":
        try:
            openvino = _load_openvino(function, execution.threads)
            _check(openvino, check())
        except ImportError as error:
            raise RuntimeUnfitError(
                f"--runtime openvino: {first_line(error)}; pip install encorpus[openvino], or use --runtime tensorflow"
            ) from None
        except _UnfitError as unfit:
            folder = function.resolved.model_folder
            raise RuntimeUnfitError(f"--runtime openvino: model {folder}: {unfit}; use --runtime tensorflow") from None
        return Chosen(openvino, AS_ASKED)
    tensorflow = TensorFlowRuntime(function)
    if execution.gpu and not execution.settled:
        reason = AS_ASKED if execution.wanted == "tensorflow" else "there is a GPU"
        return Chosen(tensorflow, reason, GPU_TOKEN_BUDGET)
    if execution.wanted == "tensorflow":
        return Chosen(tensorflow, AS_ASKED)
    return _suiting(execution, tensorflow, function, check)


def _suiting(
    execution: Execution, tensorflow: TensorFlowRuntime, function: VectorFunction, check: Callable[[], SelfCheck]
) -> Chosen:
    key = calibration_key(function.resolved.fingerprint, execution.threads)
    known = None if execution.settled else kept_calibration(key, execution.calibrated_since)
    if known and known.runtime == TENSORFLOW:
        return Chosen(tensorflow, known.reason, known.token_budget)
    try:
        openvino = _load_openvino(function, execution.threads)
        _check(openvino, check())
        if execution.settled:
            return Chosen(openvino, AS_SETTLED)
        found = calibrated(key, execution.calibrated_since, lambda: _calibrate(tensorflow, openvino, function))
    except ImportError as error:
        return Chosen(tensorflow, f"OpenVINO is not installed: {first_line(error)}")
    except _UnfitError as unfit:
        log.warning("runtime tensorflow: %s", unfit)
        return Chosen(tensorflow, str(unfit))
    return Chosen(openvino if found.runtime == OPENVINO else tensorflow, found.reason, found.token_budget)


def _calibrate(tensorflow: TensorFlowRuntime, openvino: "OpenVinoRuntime", function: VectorFunction) -> Calibration:
    length = function.encoder.fixed_length or min(LENGTH, function.resolved.max_tokens)
    run = _guarded(openvino)
    if function.precision == "float32":
        return calibrate(tensorflow, run, length, CPU_TOKEN_BUDGET)
    # By the noise of their trials workers would take different ones, whose vectors are further apart here.
    budget = openvino_budget(run, length, CPU_TOKEN_BUDGET)
    return Calibration(OPENVINO, budget, f"in {function.precision} without a trial")


def _load_openvino(function: VectorFunction, threads: int | None) -> "OpenVinoRuntime":
    """Raises ImportError, and _UnfitError where OpenVINO cannot run this graph."""
    from pipelines.encoder.openvino_conversion import openvino_runtime

    try:
        return openvino_runtime(function, threads)
    except Exception as error:  # of many types, for an operation that it does not know
        raise _UnfitError(f"OpenVINO cannot run this encoder: {first_line(error)}") from error


def _guarded(openvino: "OpenVinoRuntime") -> Callable[..., np.ndarray]:
    """The runtime, with _UnfitError for whatever it raises. What TensorFlow raises beside it is not its fault."""

    def run(*batch: np.ndarray, full: bool) -> np.ndarray:
        try:
            return openvino(*batch, full=full)
        except Exception as error:  # RuntimeError, TypeError, and what else its dispatcher has
            raise _UnfitError(f"OpenVINO fails at a test batch of {batch[0].shape}: {first_line(error)}") from error

    return run


def _check(openvino: "OpenVinoRuntime", check: SelfCheck) -> None:
    """Raises _UnfitError where its vectors are not TensorFlow's."""
    distance = check.worst_distance(_guarded(openvino))
    tolerance = TOLERANCE[openvino.precision]
    if distance > tolerance:
        raise _UnfitError(
            f"OpenVINO's vectors of test texts differ from TensorFlow's by {distance:.2g} of their length, and in "
            f"{openvino.precision} at most {tolerance:g} may be"
        )
