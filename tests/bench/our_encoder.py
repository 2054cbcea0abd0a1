"""Our encoder over a part of a file of texts, a process of several that have a thread each, as a job's workers are.

    python -m tests.bench.our_encoder RUNTIME PRECISION MODEL PART PARTS TEXTS.json ONE_TEXT [VECTORS.npy]

RUNTIME: one of `--runtime`; `snippet` for the published usage snippet. Where PARTS is 1, and with the snippet, it takes
all cores. How it is asked: `asked`. It tells with `ready` the operations that its texts need without any padding.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.asked import answer, take_output

MAX_TOKENS = 128
SNIPPET_BATCH = 32


def main(
    runtime: str,
    precision: str,
    model: str,
    part: str,
    parts: str,
    texts_file: str,
    one: str,
    vectors_file: str | None = None,
) -> None:
    answers = take_output()
    texts = json.loads(Path(texts_file).read_text(encoding="utf-8"))[int(part) :: int(parts)]
    start = time.perf_counter()
    if runtime == "snippet":
        encode, facts = snippet(model)
    else:
        encode, facts = ours(runtime, precision, model, texts, threads=1 if int(parts) > 1 else None)
    answer(answers, encode, texts, one, vectors_file, {**facts, "loading": time.perf_counter() - start})


def ours(
    runtime: str, precision: str, model: str, texts: Sequence[str], threads: int | None
) -> tuple[Callable[[Sequence[str]], Any], Mapping[str, Any]]:
    """Steady: each shape that pays is compiled, as it is some minutes after the start of a job."""
    from pipelines.encoder.spec import EncoderSpec
    from pipelines.encoder.text_encoder import TextEncoder

    spec = EncoderSpec(model, max_tokens=MAX_TOKENS, precision=precision)
    encoder = TextEncoder.load(spec, threads, runtime=runtime)
    encoder.warm()
    lengths = encoder.tokenize(texts).lengths
    flop = sum(encoder.flop_of_row(int(length)) for length in lengths)
    return encoder.encode, {"flop": flop, "tokens": int(lengths.sum())}


def snippet(model: str) -> tuple[Callable[[Sequence[str]], Any], Mapping[str, Any]]:
    """`encoder(preprocessor(texts))` in batches, padded to 128 tokens; pooled as the model recommends, by hand."""
    import tensorflow as tf
    import tensorflow_hub as hub
    import tensorflow_text  # noqa: F401  registers the preprocessor's ops

    preprocess, encoder = hub.load(f"{model}/preprocess"), hub.load(model)

    def batch(texts: Sequence[str]) -> np.ndarray:
        given = preprocess(tf.constant(list(texts)))
        states = encoder(given, training=False)["sequence_output"]
        mask = tf.cast(given["input_mask"], tf.float32)[..., None]
        mean = tf.reduce_sum(states * mask, 1) / tf.reduce_sum(mask, 1)
        return tf.linalg.normalize(mean, axis=1)[0].numpy()

    def encode(texts: Sequence[str]) -> np.ndarray:
        starts = range(0, len(texts), SNIPPET_BATCH)
        return np.concatenate([batch(texts[start : start + SNIPPET_BATCH]) for start in starts])

    return encode, {}


if __name__ == "__main__":
    main(*sys.argv[1:])
