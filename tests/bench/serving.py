"""The OpenAI API of `encorpus serve` against infinity_emb on the same weights, and what HTTP adds to one request.

    .venv/bin/python -m tests.bench.serving [CORPUS.parquet]

In turn, both servers running: 32 clients that send texts of the corpus one by one. Then one client with one short text,
against the bare encoder in this process.
"""

import statistics
import time
from pathlib import Path

from tests.bench import bench
from tests.bench.load import Seen, send
from tests.bench.servers import encorpus, infinity

CLIENTS = 32
SECONDS = 30.0
TURNS = 3
SHORT = "the quick brown fox jumps over the lazy dog today"


def main() -> None:
    print(bench.machine())
    texts = bench.corpus_texts(bench.corpus_file())
    sample = texts[:: len(texts) // 8000]
    model = Path(bench.minilm_spec().model)
    with encorpus(model) as (ours, _), infinity() as theirs:
        for address in (ours, theirs):
            send(address, "minilm", sample, CLIENTS, 5.0)
        rates: dict[str, list[float]] = {"encorpus": [], "infinity_emb": []}
        for _ in range(TURNS):
            for name, address in (("encorpus", ours), ("infinity_emb", theirs)):
                seen = send(address, "minilm", sample, CLIENTS, SECONDS)
                rates[name].append(len(seen.seconds) / SECONDS)
                print(f"{name}, {CLIENTS} clients: {told(seen, SECONDS)}")
        ratio = statistics.median(rates["encorpus"]) / statistics.median(rates["infinity_emb"])
        print(f"ratio of the medians {ratio:.2f}")
        for name, address in (("encorpus", ours), ("infinity_emb", theirs)):
            print(f"{name}, one client, one text: {told(send(address, 'minilm', [SHORT], 1, 15.0), 15.0)}")
    print(f"the bare encoder, one thread: p50 {bare_encoder_ms(model):.1f} ms")


def told(seen: Seen, seconds: float) -> str:
    """A rate, and how long answers took."""
    p50, p99 = seen.quantile_ms(0.5), seen.quantile_ms(0.99)
    return f"{len(seen.seconds) / seconds:.0f} requests/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {dict(seen.statuses)}"


def bare_encoder_ms(model: Path) -> float:
    """Median milliseconds of tokenising and encoding the short text, compiled."""
    from pipelines.encoder.spec import EncoderSpec
    from pipelines.encoder.text_encoder import TextEncoder

    encoder = TextEncoder.load(EncoderSpec(str(model)), threads=1)
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
