"""The encoder's runtimes beside each other, each in a process of its own with one thread.

.venv/bin/python -m tests.bench.runtimes [CORPUS.parquet]

Rates are rows a second of CPU time, so that other work on the machine counts less.
"""

import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from tests.bench import bench

ROWS, UNIT, SECONDS, ROUNDS = 2000, 400, 8.0, 2
QUERY_TOKENS = 16
QUERY = "What is the capital city of the country called France"
PRECISIONS = ("float32", "bfloat16")


def main() -> None:
    if len(sys.argv) > 3:
        return measure(*sys.argv[2:])
    corpus, model = bench.corpus_file(), bench.minilm_spec().model
    print(bench.machine())
    for _ in range(ROUNDS):
        for precision in PRECISIONS:
            for runtime in ("tensorflow", "openvino"):
                subprocess.run(
                    [sys.executable, "-m", "tests.bench.runtimes", corpus, model, runtime, precision], check=True
                )
    return None


def measure(model: str, runtime: str, precision: str) -> None:
    """One runtime: its rate over the corpus, the time of one query, the cosine to TensorFlow's float32, and memory."""
    texts = random.Random(5).sample(bench.corpus_texts(bench.corpus_file()), ROWS)
    spec = EncoderSpec(model, max_tokens=bench.MAX_TOKENS, precision=precision)
    encoder = TextEncoder.load(spec, threads=1, runtime=runtime)
    tokens = encoder.tokenize(texts)
    units = [tokens.of_rows(np.arange(at, at + UNIT)) for at in range(0, len(tokens.lengths) - UNIT, UNIT)]
    encoder.encode_tokens(units[0])
    rows, start, begun = 0, time.monotonic(), time.process_time()
    while time.monotonic() - start < SECONDS:
        for unit in units:
            rows += len(encoder.encode_tokens(unit).vectors)
    rate = rows / (time.process_time() - begun)
    held = memory()
    reference = TextEncoder.load(EncoderSpec(model, max_tokens=bench.MAX_TOKENS), threads=1)
    cosines = (np.asarray(encoder.encode(texts)) * np.asarray(reference.encode(texts))).sum(1)
    query = 1e3 * query_seconds(spec, runtime)
    print(
        f"{runtime:<10} {precision:<8} {rate:6.0f} rows/s of CPU, one query {query:5.2f} ms, "
        f"cosine at least {cosines.min():.6f}, {held} MB of its own",
        flush=True,
    )


def query_seconds(spec: EncoderSpec, runtime: str) -> float:
    """The median time of a text alone, tokenised already, when the encoder is warm."""
    encoder = TextEncoder.load(replace(spec, max_tokens=QUERY_TOKENS), threads=1, runtime=runtime)
    encoder.warm()
    tokens = encoder.tokenize([QUERY])
    length = next(rung for rung in encoder.ladder if rung >= tokens.lengths[0])
    arrays = (tokens.word_ids, tokens.mask, tokens.type_ids)
    batch = [np.pad(array, ((0, 0), (0, max(0, length - array.shape[1]))))[:, :length] for array in arrays]
    times = []
    for _ in range(60):
        begun = time.perf_counter()
        encoder.encode_batch(*batch)
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def memory() -> int:
    """Megabytes that are this process's alone."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) // 1024


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
