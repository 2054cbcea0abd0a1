"""`embed` as a whole, with starting, loading, reading and writing, against the encoder alone over the same rows.

    ROWS=n .venv/bin/python -m tests.bench.whole_job [CORPUS.parquet]

The encoder alone has its texts in memory and is loaded already: one single-threaded process a core, as in the job.
"""

import os
import subprocess
import sys
from pathlib import Path

from pipelines.job.cores import usable_cores
from tests.bench import bench

ALONE = """
import sys, time
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.encoder.spec import EncoderSpec
import pyarrow.parquet as pq
file, model, tokens, part, parts = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
texts = pq.read_table(file, columns=["text"])["text"].to_pylist()
encoder = TextEncoder.load(EncoderSpec(model, max_tokens=tokens), threads=1)
encoder.encode(texts[:10])
start = time.perf_counter()
encoder.encode(texts[part::parts])
print(time.perf_counter() - start)
"""


def main() -> None:
    texts = bench.corpus_texts(bench.corpus_file())
    rows = int(os.environ.get("ROWS", len(texts)))
    corpus = bench.write_corpus(texts, rows)
    print(bench.machine(), flush=True)
    summary, whole = bench.run_embed(corpus)
    steady = summary.progress.rows_per_second
    print(f"embed as a whole, {rows:,} rows: {whole:.0f} s ({steady:.0f} rows/s in steady state)", flush=True)
    alone = encoder_alone(corpus)
    print(f"the encoder alone: {alone:.0f} s")
    print(f"ratio {alone / whole:.2f}")


def encoder_alone(corpus: Path) -> float:
    """Seconds that the encoder takes for all rows, in memory, one single-threaded process a core."""
    parts = usable_cores()
    command = [sys.executable, "-c", ALONE, str(corpus), bench.minilm_spec().model, str(bench.MAX_TOKENS)]
    running = [
        subprocess.Popen([*command, str(n), str(parts)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for n in range(parts)
    ]
    return max(float(process.communicate()[0].split()[-1]) for process in running)


main()
