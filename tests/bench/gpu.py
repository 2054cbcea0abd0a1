"""ELECTRA base and large in bfloat16 on one GPU: rows, tokens and operations a second, and their share of the card's.

    python -m tests.bench.gpu [CORPUS.parquet]

Needs no network, and takes less than ten minutes. The models have those shapes and random weights; the texts are the
corpus's, or the standard library's docstrings where there is none. Shapes are compiled as in a job, as they pay, for at
most two minutes a model; then three passes are measured. The card's rate of matrix products is measured beside it, and
its maker's figure is told where it is known. Prints a table and writes it to BENCHMARKS.md.
"""

import statistics
import sys
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from cluster.docstrings import standard_library_docstrings
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from tests.bench import bench
from tests.bench.results import table, write_section
from tests.bench.roofline import random_model
from tests.tiny_model import BASE, LARGE

WARM_SECONDS, PASSES = 120.0, 3
MODELS = (("base", BASE, 60_000), ("large", LARGE, 30_000))

# Operations a second in bfloat16 without sparsity, as NVIDIA's data sheets have them.
MAKERS_FIGURES = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "A10G": 70e12}


def main() -> None:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        sys.exit("TensorFlow sees no GPU here; requirements-gpu.lock has the build that does")
    card = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "a GPU")
    texts = np.array(corpus())
    lines = []
    for name, shape, rows in MODELS:
        encoder = TextEncoder.load(EncoderSpec(str(random_model(name, shape)), max_tokens=128, precision="bfloat16"))
        lines.append((f"ELECTRA {name}", *measured(encoder, np.resize(texts, rows).tolist(), card)))
    head = ("", "rows/s", "tokens/s", "TFLOP/s", "of the card's matrix products", "of its maker's figure", "padding")
    write_section("gpu", [f"{card}; {bench.machine()}:", "", *table(head, lines)])


def corpus() -> list[str]:
    """Texts, wherever they are from."""
    if len(sys.argv) > 1 or bench.SHARED_CORPUS.is_file():
        return bench.corpus_texts(bench.corpus_file())
    return [text for _, text in standard_library_docstrings()]


def measured(encoder: TextEncoder, texts: Sequence[str], card: str) -> tuple[str, ...]:
    """Rates of the encoder over texts that are tokenised already, as they are while it works in a job."""
    # Distinct texts, since the same ones are encoded once.
    tokens = encoder.tokenize([f"{text} {number}" for number, text in enumerate(texts)])
    until = time.monotonic() + WARM_SECONDS
    while time.monotonic() < until and len(encoder.compiled_shapes) < len(encoder.ladder):
        encoder.encode_tokens(tokens)
    stats = [encoder.encode_tokens(tokens).stats for _ in range(PASSES)]
    seconds = statistics.median(one.seconds for one in stats)
    flop, products = stats[0].flop / seconds, rate_of_products()
    figure = next((figure for name, figure in MAKERS_FIGURES.items() if name in card), None)
    return (
        f"{len(texts) / seconds:,.0f}",
        f"{stats[0].tokens / seconds:,.0f}",
        f"{flop / 1e12:.0f}",
        f"{flop / products:.2f}",
        f"{flop / figure:.2f}" if figure else "",
        f"{stats[0].padding:.1%}",
    )


def rate_of_products(size: int = 8192, times: int = 50) -> float:
    """Operations a second of square matrix products in bfloat16."""
    one = tf.cast(tf.random.normal((size, size)), tf.bfloat16)
    float(tf.reduce_sum(one @ one))
    start = time.perf_counter()
    for _ in range(times):
        product = one @ one
    float(tf.reduce_sum(product))
    return 2.0 * size**3 * times / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
