"""The OpenAI API of `encorpus serve` against infinity_emb on the same weights, and what HTTP adds to the encoder.

    .venv/bin/python -m tests.bench.serving [CORPUS.parquet]

In turn, all loaded: 32 clients that send texts of the corpus one by one to either server, and texts of the corpus
through the encoders alone, one single-threaded process a core, as batches. Then one client with one short text, against
the bare encoder in this process.
"""

import statistics
import time
from pathlib import Path

from tests.bench import bench
from tests.bench.asking import all_of
from tests.bench.load import Seen, send
from tests.bench.servers import encorpus, infinity
from tests.bench.systems import LOG, ours, write_texts

CLIENTS = 32
SECONDS = 30.0
TURNS = 3
ROWS = 4000
SHORT = "the quick brown fox jumps over the lazy dog today"


def main() -> None:
    print(bench.machine(), flush=True)
    texts = bench.corpus_texts(bench.corpus_file())
    sample = texts[:: len(texts) // 8000]
    model = Path(bench.minilm_spec().model)
    alone = ours("auto", "float32", model, write_texts("serving", sample[:ROWS]))
    with (
        encorpus(model, "--max-tokens", str(bench.MAX_TOKENS)) as (address, _),
        infinity() as peer,
        all_of([alone], LOG),
    ):
        servers = {"encorpus": address, "infinity_emb": peer}
        for server in servers.values():
            send(server, "minilm", sample, CLIENTS, 5.0)
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(TURNS):
            for name, server in servers.items():
                seen = send(server, "minilm", sample, CLIENTS, SECONDS)
                rates[name].append(len(seen.seconds) / SECONDS)
                print(f"{name}, {CLIENTS} clients: {told(seen, SECONDS)}", flush=True)
            alone.work()
            print(f"the encoders alone: {alone.rates()[-1]:.0f} texts/s", flush=True)
        rate, others = (statistics.median(rates[name]) for name in servers)
        print(f"against infinity_emb {rate / others:.2f}")
        print(f"against the encoders alone {rate / statistics.median(alone.rates()):.2f}")
        for name, server in servers.items():
            print(f"{name}, one client, one text: {told(send(server, 'minilm', [SHORT], 1, 15.0), 15.0)}", flush=True)
    print(f"the bare encoder, one thread: p50 {bare_encoder_ms(model):.1f} ms")


def told(seen: Seen, seconds: float) -> str:
    """A rate, and how long answers took."""
    p50, p99 = seen.quantile_ms(0.5), seen.quantile_ms(0.99)
    return f"{len(seen.seconds) / seconds:.0f} requests/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {dict(seen.statuses)}"


def bare_encoder_ms(model: Path) -> float:
    """Median milliseconds of tokenising and encoding the short text, by the runtime that `serve` takes."""
    from pipelines.encoder.spec import EncoderSpec
    from pipelines.encoder.text_encoder import TextEncoder

    encoder = TextEncoder.load(EncoderSpec(str(model), max_tokens=bench.MAX_TOKENS), threads=1, runtime="auto")
    encoder.warm()
    times = []
    for _ in range(300):
        started = time.perf_counter()
        tokens = encoder.tokenize([SHORT])
        length = next(rung for rung in encoder.ladder if rung >= tokens.lengths[0])
        encoder.encode_batch(*(array[:, :length] for array in (tokens.word_ids, tokens.mask, tokens.type_ids)))
        times.append((time.perf_counter() - started) * 1e3)
    print(f"({int(tokens.lengths[0])} tokens)")
    return statistics.median(times)


if __name__ == "__main__":
    main()
