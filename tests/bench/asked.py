"""One system under measurement, a process of its own: it loads, says so, and then works whenever it is asked to.

It answers on standard output, in lines of JSON. First {"ready": seconds of loading, ...}. Then, to each line of input:
`all`, {"seconds": ..., "rows": ...} of encoding all its texts; `one`, {"milliseconds": ...}, the median of encoding one
text alone. At its end it writes the vectors of the last `all`, if a file was named. While it is not
asked it takes no CPU, so that many can be loaded beside each other and measured in turn.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

import numpy as np

ONE_TIMES, ONE_SECONDS = 200, 5.0


def take_output() -> TextIO:
    """What was standard output, for answers alone; whatever libraries print goes to standard error from now on."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def answer(
    answers: TextIO,
    encode: Callable[[Sequence[str]], Any],
    texts: Sequence[str],
    one: str,
    vectors_file: str | None,
    facts: Mapping[str, Any],
) -> None:
    """answers: of `take_output`. encode: vectors [n, dim] of n texts. one: the text that is encoded alone. facts: told
    with `ready`."""
    print(json.dumps({"ready": True, **facts}), file=answers, flush=True)
    vectors: Any = []
    for line in sys.stdin:
        if line.strip() == "all":
            start = time.perf_counter()
            vectors = encode(texts)
            told = {"seconds": time.perf_counter() - start, "rows": len(texts)}
        else:
            told = {"milliseconds": _median_milliseconds(encode, one)}
        print(json.dumps(told), file=answers, flush=True)
    if vectors_file:
        np.save(vectors_file, np.asarray(vectors, np.float32))


def _median_milliseconds(encode: Callable[[Sequence[str]], Any], one: str) -> float:
    times: list[float] = []
    while len(times) < ONE_TIMES and sum(times) < ONE_SECONDS * 1e3:
        start = time.perf_counter()
        encode([one])
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)
