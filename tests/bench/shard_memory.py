"""Memory beyond its vectors that a large sequence shard takes, to be written and to be read: Linux only.

.venv/bin/python -m tests.bench.shard_memory
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.output.quantized import quantized
from pipelines.output.shard import ShardInfo, shard_bytes, shard_table, vector_batches
from tests.bench import bench

Result = TypeVar("Result")

# 256 MiB of float32: what a unit has by default of a model of this width, with texts of this length.
ROWS, TOKENS, WIDTH = 128, 512, 1024


def main() -> None:
    print(bench.machine())
    for dtype in ("float32", "int8", "binary"):
        print(f"{dtype}: {told(dtype)}")


def told(dtype: str) -> str:
    states = [np.random.default_rng(row).standard_normal((TOKENS, WIDTH), np.float32) for row in range(ROWS)]
    data, writing = measured(lambda: written(states, dtype))
    return f"{data.nbytes / 1e6:.0f} MB; to write {writing}; to read {measured(lambda: read(data))[1]}"


def written(states: list[np.ndarray], dtype: str) -> memoryview:
    """The shard's file."""
    stored, scale = quantized(states, dtype)
    columns, tokens = pa.table({"id": pa.array(range(ROWS))}), np.full(ROWS, TOKENS)
    info = ShardInfo("", "", "", 0, 0, True, ROWS, ROWS, 0, ROWS * TOKENS, 0, "", "", WIDTH, scale)
    return shard_bytes(shard_table(columns, tokens, tokens > TOKENS, stored, WIDTH, dtype), info)[0]


def read(data: memoryview) -> None:
    """All its vectors, batch by batch."""
    with pq.ParquetFile(pa.BufferReader(data)) as parquet:
        for _ in vector_batches(parquet):
            pass


def measured(work: Callable[[], Result]) -> tuple[Result, str]:
    """What the work gives, the most memory held meanwhile beyond what was held before, and the seconds."""
    pa.default_memory_pool().release_unused()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew from what is held now
    before, start = held("VmRSS"), time.perf_counter()
    result = work()
    return result, f"{max(0, held('VmHWM') - before) / 1e6:.0f} MB and {time.perf_counter() - start:.2f} s"


def held(what: str) -> int:
    """Bytes, from the kernel's account of this process."""
    return int(re.findall(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) * 1024


main()
