"""Peak memory of `embed` over a corpus and over one ten times larger, all its processes together.

.venv/bin/python -m tests.bench.memory [CORPUS.parquet]
"""

import contextlib
import subprocess
import sys
import time

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench import bench

SMALL_ROWS = 4000


def main() -> None:
    texts = bench.corpus_texts(bench.corpus_file())
    print(bench.machine())
    peaks = [peak(texts[:rows]) for rows in (SMALL_ROWS, 10 * SMALL_ROWS)]
    for rows, size in zip((SMALL_ROWS, 10 * SMALL_ROWS), peaks, strict=True):
        print(f"{rows:,} rows: {size / 1e9:.2f} GB at most")
    print(f"ratio {peaks[1] / peaks[0]:.2f}")


def peak(texts: list[str]) -> int:
    """The most bytes (proportional set size) that the job's processes held together."""
    corpus = bench.FOLDER / "memory.parquet"
    pq.write_table(pa.table({"text": texts}), corpus, row_group_size=10_000)
    process = subprocess.Popen(bench.embed_command(corpus), stderr=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        most = max(most, held(psutil.Process(process.pid)))
        time.sleep(0.5)
    if process.returncode:
        sys.exit(f"embed failed with status {process.returncode}")
    return most


def held(driver: psutil.Process) -> int:
    total = 0
    with contextlib.suppress(psutil.Error):
        for process in [driver, *driver.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total


main()
