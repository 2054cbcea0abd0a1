"""The systems that are measured beside each other: how each is started."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.bench import bench
from tests.bench.asking import System

LOG = bench.FOLDER / "systems.log"

# Twelve tokens, special ones included.
ONE_TEXT = "the quick brown fox jumps over the lazy dog today"


def write_texts(name: str, texts: Sequence[str]) -> Path:
    """A file of texts, for processes of any environment."""
    file = bench.FOLDER / f"texts-{name}.json"
    file.write_text(json.dumps(list(texts)), encoding="utf-8")
    return file


def peer(name: str, environment: str, system: str, precision: str, texts: Path) -> System:
    """A peer in an environment of its own."""
    python = bench.FOLDER / environment / "bin" / "python"
    words = [python, bench.ROOT / "tests" / "bench" / "peer.py", system, precision, texts, ONE_TEXT]
    return System(name, precision, [words], [_vectors_file(f"{system}-{precision}")])


def ours(runtime: str, precision: str, model: Path, texts: Path, parts: int | None = None) -> System:
    """Our encoder in as many processes, of a thread each, as there are cores; or one of all threads, where parts is
    1."""
    parts = parts or bench.cores()
    files = [_vectors_file(f"encorpus-{runtime}-{precision}-{part}") for part in range(parts)]
    words = [sys.executable, "-m", "tests.bench.our_encoder", runtime, precision, model]
    commands = [[*words, str(part), str(parts), texts, ONE_TEXT] for part in range(parts)]
    return System(f"encorpus, {runtime}", precision, commands, files)


def snippet(model: Path, texts: Path) -> System:
    """The snippet that is published with the models."""
    words = [sys.executable, "-m", "tests.bench.our_encoder", "snippet", "float32", model, "0", "1", texts, ONE_TEXT]
    return System("the published snippet", "float32", [words], [_vectors_file("snippet")])


def gemm() -> System:
    """What does nothing but matrix products, on all cores."""
    words = ["env", "OPENBLAS_NUM_THREADS=1", sys.executable, "-m", "tests.bench.gemm"]
    return System("matrix products", "float32", [words] * bench.cores())


def vectors_of(system: System) -> np.ndarray:
    """Unit vectors of all its texts in their order, [n, dim], once it has ended."""
    parts = [np.load(file) for file in system.vectors]
    vectors = np.empty((sum(map(len, parts)), parts[0].shape[1]))
    for number, part in enumerate(parts):
        vectors[number :: len(parts)] = part
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def has_bfloat16() -> bool:
    """Whether this CPU multiplies in it."""
    flags = Path("/proc/cpuinfo").read_text()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _vectors_file(name: str) -> Path:
    return bench.FOLDER / f"vectors-{name}.npy"
