"""`encorpus embed` as a whole, with its start, reading and writing, against the encoder alone over the same rows.

    ROWS=n .venv/bin/python -m tests.bench.whole_job [CORPUS.parquet]

The encoder alone has its texts in memory and is loaded already: one single-threaded process a core, with the runtime
that the job takes. Half of the rows before the job and half after it, so that a machine that grows slower or faster
does so for both.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from pipelines.job.cores import usable_cores
from tests.bench import bench

# Ten minutes on two cores of 2026.
ROWS = 130_000

ALONE = """
import sys, time
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.encoder.spec import EncoderSpec
import pyarrow.parquet as pq
file, model, tokens, half, part, parts = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
texts = pq.read_table(file, columns=["text"])["text"].to_pylist()
encoder = TextEncoder.load(EncoderSpec(model, max_tokens=tokens), threads=1, runtime="auto")
encoder.encode(texts[:10])
texts = texts[half::2][part::parts]
print("ready", flush=True)
input()
start = time.perf_counter()
encoder.encode(texts)
print(encoder.runtime, time.perf_counter() - start)
"""


def main() -> None:
    texts = bench.corpus_texts(bench.corpus_file())
    rows = int(os.environ.get("ROWS", ROWS))
    corpus = bench.write_corpus(texts, rows)
    print(f"{bench.machine()}; {rows:,} rows", flush=True)
    before = encoder_alone(corpus, half=0)
    start = time.perf_counter()
    subprocess.run(bench.embed_command(corpus), check=True, stderr=subprocess.DEVNULL)
    whole = time.perf_counter() - start
    after = encoder_alone(corpus, half=1)
    print(f"embed as a whole: {whole:.0f} s")
    print(f"the encoder alone: {before:.0f} s of half of the rows before, {after:.0f} s of the other half after")
    print(f"ratio {(before + after) / whole:.3f}")


def encoder_alone(corpus: Path, half: int) -> float:
    """Seconds that the encoder takes for half of the rows, in memory, one single-threaded process a core."""
    parts = usable_cores()
    command = [sys.executable, "-c", ALONE, str(corpus), bench.minilm_spec().model, str(bench.MAX_TOKENS), str(half)]
    running = [
        subprocess.Popen(
            [*command, str(part), str(parts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for part in range(parts)
    ]
    for process in running:
        assert process.stdout
        process.stdout.readline()
    for process in running:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate()[0].split()[-2:] for process in running]
    print(f"the encoder alone, {told[0][0]}: {', '.join(f'{float(seconds):.0f} s' for _, seconds in told)}", flush=True)
    return max(float(seconds) for _, seconds in told)


main()
