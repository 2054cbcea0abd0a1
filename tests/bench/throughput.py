"""Rows a second of `embed` with its default workers against sentence-transformers, in one run, and of the job as a
whole against the encoder alone.

    make bench            (CORPUS=file.parquet for another corpus, ROWS=n for the length of the job)

In turn: the peer over a sample, the whole job, the peer again, the encoder alone over the same rows as the job.
"""

import os
import shutil
import subprocess
import sys
import time
from itertools import cycle, islice

import bench
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan import Columns
from pipelines.job.cores import usable_cores
from pipelines.job.embed import Job, embed

SAMPLE_ROWS = 4000

ALONE = """
import json, sys, time
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
    spec = bench.minilm_spec()
    rows = int(os.environ.get("ROWS", len(texts)))
    corpus, output = bench.FOLDER / "corpus", bench.FOLDER / "output"
    write_corpus(corpus, texts, rows)
    sample = texts[:: len(texts) // SAMPLE_ROWS][:SAMPLE_ROWS]
    print(bench.machine())
    peer = [bench.run_peer(sample)]
    shutil.rmtree(output, ignore_errors=True)
    start = time.perf_counter()
    summary = embed(Job((str(corpus),), str(output), spec, Columns("text")))
    whole = time.perf_counter() - start
    peer.append(bench.run_peer(sample))
    alone = encoder_alone(corpus / "corpus.parquet", spec.model)
    steady = summary.progress.rows_per_second
    print(f"sentence-transformers, {len(sample):,} rows of it      {peer[0]:.0f}, {peer[1]:.0f} rows/s")
    print(f"embed, {rows:,} rows, steady state            {steady:.0f} rows/s, padding {summary.stats.padding:.1%}")
    print(f"  ratio                                      {steady / peer[0]:.2f}, {steady / peer[1]:.2f}")
    print(f"  first shard after                          {summary.seconds_to_first_shard:.0f} s")
    print(f"embed as a whole, with starting and loading  {whole:.0f} s")
    print(f"the encoder alone, a process a core, loaded  {alone:.0f} s")
    print(f"  ratio                                      {alone / whole:.2f}")


def write_corpus(folder, texts: list[str], rows: int) -> None:
    """So many rows of the corpus, over again where it has fewer, made distinct; in row groups of 10,000."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count = len(texts)
    taken = [text if n < count else f"{text} {n // count}" for n, text in enumerate(islice(cycle(texts), rows))]
    pq.write_table(pa.table({"text": taken}), folder / "corpus.parquet", row_group_size=10_000)


def encoder_alone(file, model: str) -> float:
    """Seconds that the encoder takes for all rows, in memory, one single-threaded process a core."""
    parts = usable_cores()
    command = [sys.executable, "-c", ALONE, str(file), model, str(bench.MAX_TOKENS)]
    running = [
        subprocess.Popen([*command, str(n), str(parts)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for n in range(parts)
    ]
    return max(float(process.communicate()[0].split()[-1]) for process in running)


main()
