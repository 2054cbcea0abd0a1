"""The rate of matrix products in float32 of one core while all cores do them: what an encoder could reach at most.

    OPENBLAS_NUM_THREADS=1 python -m tests.bench.gemm

Asked as the encoders are, see `asked`: what it says to `all` has the operations in place of rows. The largest of
several sizes counts, by TensorFlow and by numpy, since no library is the fastest everywhere.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.bench.asked import take_output

SECONDS_EACH = 0.7

# Rows, inner, columns: square ones, and those of encoders' layers at 512 tokens.
SHAPES = (
    (512, 512, 512),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (512, 384, 1536),
    (512, 768, 3072),
    (512, 1024, 4096),
)


def main() -> None:
    answers = take_output()
    products = [*_products_of_numpy(), *_products_of_tensorflow()]
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for _ in sys.stdin:
        print(
            json.dumps({"flop_per_second": max(_rate(flop, product) for flop, product in products)}),
            file=answers,
            flush=True,
        )


def _products_of_numpy() -> list[tuple[float, Callable[[], Any]]]:
    return [
        (2.0 * rows * inner * columns, lambda a=a, b=b, out=out: np.matmul(a, b, out=out))
        for rows, inner, columns in SHAPES
        for a, b, out in [(_filled(rows, inner), _filled(inner, columns), np.empty((rows, columns), np.float32))]
    ]


def _products_of_tensorflow() -> list[tuple[float, Callable[[], Any]]]:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return [
        (2.0 * rows * inner * columns, lambda a=a, b=b: tf.linalg.matmul(a, b))
        for rows, inner, columns in SHAPES
        for a, b in [(tf.constant(_filled(rows, inner)), tf.constant(_filled(inner, columns)))]
    ]


def _filled(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, columns), np.float32)


def _rate(flop: float, product: Callable[[], Any]) -> float:
    """Operations a second over some tenths of one."""
    product()
    start, times = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < SECONDS_EACH:
        product()
        times += 1
    return flop * times / seconds


if __name__ == "__main__":
    main()
