"""Peak memory of `embed` over a corpus and over one ten times larger, all its processes together.

.venv/bin/python -m tests.bench.memory [CORPUS.parquet]
"""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench import bench

SMALL_ROWS = 4000

# In what Ray calls the processes of Ray Data's actor pools.
WORKER = "MapWorker"


def main() -> None:
    texts = bench.corpus_texts(bench.corpus_file())
    print(bench.machine())
    peaks = [peak(texts[:rows]) for rows in (SMALL_ROWS, 10 * SMALL_ROWS)]
    for rows, (size, worker) in zip((SMALL_ROWS, 10 * SMALL_ROWS), peaks, strict=True):
        print(f"{rows:,} rows: {size / 1e9:.2f} GB at most, a worker {worker / 1e6:.0f} MB")
    print(f"ratio {peaks[1][0] / peaks[0][0]:.2f}")
    weights = Path(bench.minilm_spec().model, "variables", "variables.data-00000-of-00001").stat().st_size
    print(f"the model's weights: {weights / 1e6:.0f} MB")


def peak(texts: list[str]) -> tuple[int, int]:
    """The most bytes that the job's processes held together, and that one worker held (proportional set sizes)."""
    corpus = bench.FOLDER / "memory.parquet"
    pq.write_table(pa.table({"text": texts}), corpus, row_group_size=10_000)
    process = subprocess.Popen(bench.embed_command(corpus), stderr=subprocess.DEVNULL)
    most = worker = 0
    while process.poll() is None:
        together, of_one = held(psutil.Process(process.pid))
        most, worker = max(most, together), max(worker, of_one)
        time.sleep(0.5)
    if process.returncode:
        sys.exit(f"embed failed with status {process.returncode}")
    return most, worker


def held(driver: psutil.Process) -> tuple[int, int]:
    total = worker = 0
    with contextlib.suppress(psutil.Error):
        for process in [driver, *driver.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                memory = process.memory_full_info()
                total += memory.pss
                if WORKER in " ".join(process.cmdline()):
                    worker = max(worker, memory.pss)
    return total, worker


main()
