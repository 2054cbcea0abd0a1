"""TensorFlow loads, and sees the GPUs. It is asked in a process of its own: loading is slow, and may crash."""

import os
import subprocess
import sys
from collections.abc import Iterator

from cluster.doctor.finding import Finding, failure, ok, warning
from pipelines.numbers import count

ABOUT = "TensorFlow"
LOAD_SECONDS = 150.0
PROGRAM = (
    "import tensorflow as tf, tensorflow_text; print('gpus:', len(tf.config.list_physical_devices('GPU')), flush=True)"
)


def check_tensorflow(gpus: float, gpus_per_worker: float, program: str = PROGRAM) -> Iterator[Finding]:
    """gpus: that the node should have, by Ray or by what is asked for. program: prints `gpus: N`."""
    # Ray hides the GPUs from whoever asks for none, as its task that examines the node does.
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "1"}
    words = [sys.executable, "-c", program]
    try:
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=LOAD_SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        found = f"importing tensorflow takes more than {LOAD_SECONDS:.0f} s"
        yield failure(ABOUT, found, "look whether the machine swaps, or reads its packages over a slow network")
        return
    lines = [line for line in done.stdout.splitlines() if line.startswith("gpus:")]
    if done.returncode or not lines:
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        said = (done.stderr.strip().splitlines() or ["no word"])[-1][:200]
        found = f"importing tensorflow and tensorflow-text fails ({ended}): {said}"
        yield failure(ABOUT, found, "install the two in the same minor version, built for this machine's processor")
        return
    yield from _compared(int(lines[-1].removeprefix("gpus:")), gpus, gpus_per_worker, done.stderr)


def _compared(seen: int, gpus: float, gpus_per_worker: float, said: str) -> Iterator[Finding]:
    if seen >= gpus:
        yield ok(ABOUT, f"loads, sees {count(seen, 'GPU')}" if seen else "loads")
        return
    hint = next((line.strip()[-160:] for line in said.splitlines() if "dlopen" in line or "CUDA" in line), "")
    found = f"sees {count(seen, 'GPU')} where {gpus:g} should be" + (f" ({hint})" if hint else "")
    advice = "`pip install 'tensorflow[and-cuda]'`, a driver (`nvidia-smi` shows it), the container's --gpus"
    kind = failure if gpus_per_worker else warning
    yield kind(ABOUT, found, advice)
