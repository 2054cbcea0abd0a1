"""What smaller vectors cost: each dtype's figures on what vectors are for, and its size and speed of search.

    .venv/bin/python -m tests.bench.vector_sizes

The data sets are those of quality.py. One text of each pair, or the docstrings' rests, are stored as a job would store
them, in units of a thousand; the other one is the query, and the product's own search ranks and scores.
"""

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import quality

from pipelines.encoder.spec import DTYPES
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.job.shard_rows import CPU_SHARD_ROWS
from pipelines.output.quantized import quantized, vector_bytes
from pipelines.output.scores import scores
from pipelines.output.search import top_rows
from pipelines.output.shard import ShardInfo, shard_bytes, shard_table, vector_batches
from tests.bench import bench

# What the exact ranking by bits leaves for a second look.
RESCORED = 100

# Rows of the shard that is searched for its speed.
SEARCHED_ROWS = 200_000

Rank = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    encoder = TextEncoder.load(bench.minilm_spec())
    print(bench.machine())
    pairs = {
        name: (encoded(encoder, first), encoded(encoder, second), judged)
        for name, (first, second, judged) in quality.judged_pairs().items()
    }
    lines, rests = (encoded(encoder, texts) for texts in quality.first_lines())
    for dtype in DTYPES:
        told = [
            f"{name} {quality.spearman(pair_scores(first, second, dtype), judged):.4f}"
            for name, (first, second, judged) in pairs.items()
        ]
        print(f"{dtype}: {vector_bytes(encoder.dimension, dtype)} bytes a vector; Spearman: {', '.join(told)}")
        print(f"  {len(lines):,} docstrings: {retrieval(lines, ranking(rests, dtype))}")
        print(f"  {search_speed(rests, dtype)}")
    for dtype in ("int8", "float32"):
        figures = retrieval(lines, rescoring(rests, dtype))
        print(f"binary, the best {RESCORED} rescored by {dtype}: {figures}")


def encoded(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
    return np.asarray(encoder.encode(texts))


def stored_units(vectors: np.ndarray, dtype: str) -> list[np.ndarray]:
    """The vectors as they are stored in a job's shards."""
    units = np.split(vectors, range(CPU_SHARD_ROWS, len(vectors), CPU_SHARD_ROWS))
    return [stored(unit, dtype) for unit in units]


def stored(vectors: np.ndarray, dtype: str) -> np.ndarray:
    return np.asarray(quantized(vectors.astype(np.float16) if dtype == "float16" else vectors, dtype).vectors)


def pair_scores(first: np.ndarray, second: np.ndarray, dtype: str) -> np.ndarray:
    rows = np.concatenate(stored_units(second, dtype))
    return np.array([scores(rows[row : row + 1], query)[0] for row, query in enumerate(first)])


def ranking(vectors: np.ndarray, dtype: str) -> Rank:
    """All rows for a query, best first."""
    units = stored_units(vectors, dtype)
    return lambda query: top_rows(np.concatenate([scores(unit, query) for unit in units]), len(vectors))


def rescoring(vectors: np.ndarray, dtype: str) -> Rank:
    """All rows by their bits, but the best hundred by their vectors in another dtype."""
    by_bits, rows = ranking(vectors, "binary"), np.concatenate(stored_units(vectors, dtype))

    def rank(query: np.ndarray) -> np.ndarray:
        places = by_bits(query)
        best = np.sort(places[:RESCORED])
        return np.concatenate([best[top_rows(scores(rows[best], query), RESCORED)], places[RESCORED:]])

    return rank


def retrieval(queries: np.ndarray, rank: Rank) -> str:
    """Recall at 1 and 10, and mean reciprocal rank, where query i is to find row i."""
    ranks = 1 + np.array([np.flatnonzero(rank(query) == row)[0] for row, query in enumerate(queries)])
    at = [f"recall@{most} {np.mean(ranks <= most):.4f}" for most in (1, 10)]
    return f"{', '.join(at)}, MRR {np.mean(1 / ranks):.4f}"


def search_speed(vectors: np.ndarray, dtype: str) -> str:
    """How long the inner part of search takes: a shard in memory is decoded, scored and ranked, in one thread."""
    rows = np.resize(vectors, (SEARCHED_ROWS, vectors.shape[1]))
    columns = pa.table({"id": pa.array(range(SEARCHED_ROWS))})
    zeros = np.zeros(SEARCHED_ROWS, np.int32)
    table = shard_table(columns, zeros, zeros > 0, stored(rows, dtype), rows.shape[1], dtype)
    info = ShardInfo("", "", "", 0, 0, True, SEARCHED_ROWS, SEARCHED_ROWS, 0, 0, 0, "", "", rows.shape[1])
    data, _ = shard_bytes(table, info)
    seconds = []
    for query in vectors[:5]:
        start = time.perf_counter()
        with pq.ParquetFile(pa.BufferReader(data)) as parquet:
            top_rows(np.concatenate([scores(batch, query) for batch in vector_batches(parquet)]), 10)
        seconds.append(time.perf_counter() - start)
    return f"a shard of {SEARCHED_ROWS:,} rows: {data.nbytes / 1e6:.1f} MB, searched in {min(seconds) * 1000:.0f} ms"


main()
