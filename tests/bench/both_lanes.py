"""People and a batch job on the same replicas: what each of them loses by the other, in one run.

    .venv/bin/python -m tests.bench.both_lanes [CORPUS.parquet]

In turn: `embed` with workers of its own; the job through the live replicas, alone; people alone, a tenth of what the
replicas can do; both together. As many workers as replicas: one a core, as both commands have it unless told.
"""

import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import bench
from tests.bench.load import Seen, send
from tests.bench.servers import ROOT, encorpus, environment

ROWS, SHARD_ROWS = 12_000, 500
OUTPUT = bench.FOLDER / "both_lanes"
SHARE = 0.1
CLIENTS = 8
SECONDS = 40.0


@dataclass(frozen=True)
class JobRate:
    """A second, from the first units on."""

    rows: float
    tokens: float


def main() -> None:
    print(bench.machine())
    texts = bench.corpus_texts(bench.corpus_file())
    corpus = bench.write_corpus(texts, ROWS)
    sample = texts[:: len(texts) // 2000]
    model = Path(bench.minilm_spec().model)
    own = run_embed(corpus, model, [])
    print(f"embed, workers of its own: {own.rows:.0f} rows/s")
    with encorpus(model) as (address, _):
        send(address, "minilm", sample, CLIENTS, 5.0)
        before = micro_batches(address)
        alone = run_embed(corpus, model, ["--through", "encorpus"])
        print(
            f"through the replicas, alone: {alone.rows:.0f} rows/s, {alone.rows / own.rows:.2f} of its own workers; "
            f"a micro-batch takes {took_ms(before, micro_batches(address)):.1f} ms"
        )
        rate = SHARE * alone.rows
        idle = send(address, "minilm", sample, CLIENTS, SECONDS, rate)
        print(f"people alone, {rate:.0f} requests/s: {told(idle)}")
        before = micro_batches(address)
        both, seen = beside(corpus, model, address, sample, rate)
        took = took_ms(before, micro_batches(address))
        print(f"people beside the job: {told(seen)}; a micro-batch takes {took:.1f} ms")
        together = both.tokens + rate * alone.tokens / alone.rows
        print(
            f"the job beside people: {both.rows:.0f} rows/s; tokens of both {together / alone.tokens:.2f} of it alone"
        )


def told(seen: Seen) -> str:
    """How long answers took."""
    return f"p50 {seen.quantile_ms(0.5):.1f} ms, p99 {seen.quantile_ms(0.99):.1f} ms, {dict(seen.statuses)}"


def run_embed(corpus: Path, model: Path, words: Sequence[str]) -> JobRate:
    """A job from its beginning: the rates that the command tells at its end."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    command = [sys.executable, "-m", "cluster.cli", "embed", str(corpus), "-o", str(OUTPUT), "--model", str(model)]
    command += ["--shard-rows", str(SHARD_ROWS), *words]
    done = subprocess.run(command, cwd=ROOT, env=environment(), check=True, capture_output=True, text=True)
    told = re.search(r"([\d,]+) rows/s, ([\d,]+) tokens/s", done.stdout)
    assert told, done.stdout
    rows, tokens = (float(number.replace(",", "")) for number in told.groups())
    return JobRate(rows, tokens)


def beside(corpus: Path, model: Path, address: str, sample: Sequence[str], rate: float) -> tuple[JobRate, Seen]:
    """The job, and people for as long as it lasts; what they saw while it wrote its shards.

    At its beginning and end the command takes a core that the replica otherwise has, as it does not on another machine.
    """
    job: list[JobRate] = []
    thread = threading.Thread(target=lambda: job.append(run_embed(corpus, model, ["--through", "encorpus"])))
    thread.start()
    seen = Seen()
    while thread.is_alive():
        before = shards()
        part = send(address, "minilm", sample, CLIENTS, 2.0, rate)
        if before and shards() < ROWS / SHARD_ROWS:
            seen.seconds += part.seconds
            seen.statuses += part.statuses
    return job[0], seen


def shards() -> int:
    """Those that the job has written."""
    return len(list(OUTPUT.glob("part-*.parquet")))


def took_ms(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Of a micro-batch between two looks in the mean."""
    return (after[1] - before[1]) / (after[0] - before[0]) * 1e3


def micro_batches(address: str) -> tuple[float, float]:
    """Their number and their seconds until now."""
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        text = answer.read().decode()
    # Of all replicas.
    count, total = (
        sum(map(float, re.findall(rf"^encorpus_micro_batch_seconds_{part}{{.*}} (\S+)", text, re.MULTILINE)))
        for part in ("count", "sum")
    )
    return count, total


if __name__ == "__main__":
    main()
