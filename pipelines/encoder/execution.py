"""How an encoder's batches are to be run, and what was chosen for that. Imports no TensorFlow."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from pipelines.encoder.runtime import RUNTIMES, Runtime
from pipelines.errors import UsageError

AS_ASKED = "as asked for"
AS_SETTLED = "as for another output of this encoder"

# Tokens in one batch, padding included, where no calibration has found another number. On a CPU core the batch's
# activations should stay in its caches; a GPU wants more at once.
CPU_TOKEN_BUDGET = 512
GPU_TOKEN_BUDGET = 32768


@dataclass(frozen=True)
class Execution:
    """How batches are to be run. wanted: one of RUNTIMES; auto is for the CPU alone. threads: of the CPU, None for all.
    gpu: whether TensorFlow has one. settled: whether auto takes OpenVINO wherever it is right, be there a faster one
    or not. calibrated_since: no older calibration of auto's is taken, in seconds of the epoch."""

    wanted: str = "tensorflow"
    threads: int | None = None
    gpu: bool = False
    settled: bool = False
    calibrated_since: float = 0.0

    def __post_init__(self) -> None:
        if self.wanted not in RUNTIMES:
            raise UsageError(f"--runtime {self.wanted}: one of {', '.join(RUNTIMES)}")

    def going_on_with(self, runtime: str) -> "Execution":
        """For a further output of an encoder that runs by this one, in a process that answers people: TensorFlow if
        OpenVINO should give that output wrong, whatever was asked for."""
        if runtime == "tensorflow":
            return replace(self, wanted="tensorflow")
        return replace(self, wanted="auto", settled=True)


class Chosen(NamedTuple):
    """reason: why it is this runtime, for people. token_budget: positions of a batch, padding included."""

    runtime: Runtime
    reason: str
    token_budget: int = CPU_TOKEN_BUDGET
