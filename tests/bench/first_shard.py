"""Seconds from the command to its first committed shard.

    .venv/bin/python -m tests.bench.first_shard [CORPUS.parquet]

In turn: with all that a job of the same model has left behind; as the first job after an installation, the machine not
calibrated and no encoder kept; and as the first one since the machine's own start, too: nothing read yet, no module
compiled. That empties the page cache, which only root may do.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench import bench

TURNS, ROWS = 3, 20_000
PAGE_CACHE = Path("/proc/sys/vm/drop_caches")


def main() -> None:
    corpus = bench.write_corpus(bench.corpus_texts(bench.corpus_file()), ROWS)
    print(bench.machine(), flush=True)
    whole_job(corpus)
    found: dict[str, list[float]] = {"warm": [], "first ever": [], "first ever, nothing read yet": []}
    for _ in range(TURNS):
        found["warm"].append(first_shard(corpus))
        found["first ever"].append(first_shard_ever(corpus))
        if os.access(PAGE_CACHE, os.W_OK):
            found["first ever, nothing read yet"].append(first_shard_after_a_start(corpus))
    for name, seconds in found.items():
        if not seconds:
            print(f"{name}: not measured, as this user may not empty the page cache")
            continue
        each = ", ".join(f"{one:.1f}" for one in seconds)
        print(f"{name}: {statistics.median(seconds):.1f} s to the first shard ({each})")


def whole_job(corpus: Path) -> None:
    """A short one to its end, after which all is in the caches."""
    shutil.rmtree(bench.FOLDER / "output", ignore_errors=True)
    subprocess.run([*bench.embed_command(corpus), "--limit", "200"], stderr=subprocess.DEVNULL, check=True)


def first_shard(corpus: Path, environment: Mapping[str, str] | None = None) -> float:
    """Seconds; the job is ended then."""
    output = bench.FOLDER / "output"
    shutil.rmtree(output, ignore_errors=True)
    start = time.perf_counter()
    command = bench.embed_command(corpus)
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
    while not list(output.glob("*.parquet")):
        if process.poll() is not None:
            raise SystemExit(f"{' '.join(command)}: ended with status {process.returncode} before its first shard")
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    process.terminate()
    process.wait()
    return seconds


def first_shard_ever(corpus: Path) -> float:
    """The same with nothing in encorpus's cache folder."""
    with tempfile.TemporaryDirectory() as empty:
        return first_shard(corpus, {"ENCORPUS_CACHE": empty})


def first_shard_after_a_start(corpus: Path) -> float:
    """The same with nothing in any cache."""
    os.sync()
    PAGE_CACHE.write_text("3")
    with tempfile.TemporaryDirectory() as empty:
        return first_shard(corpus, {"PYTHONPYCACHEPREFIX": empty, "ENCORPUS_CACHE": empty})


main()
