"""Encoders alone, in steady state: ours and its peers', asked in turn over the same texts of the corpus.

    .venv/bin/python -m tests.bench.encoders [CORPUS.parquet]

Of MiniLM with its real weights: rows a second, the least cosine to sentence-transformers' vectors in float32, and the
time of one text alone. Ours are one single-threaded process a core, as workers are, and for one text alone a process
of all threads; the peers take all cores by themselves.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.bench import bench
from tests.bench.asking import System, all_of, in_turn
from tests.bench.results import Bar, table, write_chart, write_section
from tests.bench.systems import LOG, has_bfloat16, ours, peer, snippet, vectors_of, write_texts

TURNS, ROWS = 3, 2000

# Each of its turns starts actors, which is no time of a text.
WITH_START = "Ray Data, sentence-transformers, with their start"

# No vectors of the same weights in the same precision are farther away.
LEAST_COSINE = {"float32": 0.9999, "bfloat16": 0.99}

# The name, the environment, what `peer` calls it, the precision. All vectors are compared with those of the first one.
PEERS = (
    ("sentence-transformers, torch", "venv", "torch", "float32"),
    ("sentence-transformers, ONNX", "onnx", "onnx", "float32"),
    ("sentence-transformers, OpenVINO", "venv", "openvino", "float32"),
    ("fastembed", "onnx", "fastembed", "float32"),
    ("infinity_emb, its engine", "infinity", "infinity", "float32"),
    (WITH_START, "venv", "ray", "float32"),
    ("sentence-transformers, torch", "venv", "torch", "bfloat16"),
    ("sentence-transformers, OpenVINO", "venv", "openvino", "bfloat16"),
)
OURS = (("tensorflow", "float32"), ("openvino", "float32"), ("openvino", "bfloat16"))


@dataclass(frozen=True)
class Measured:
    """rates: rows a second, one a turn. cosine: the least one to the reference. alone: milliseconds of one text."""

    name: str
    precision: str
    ours: bool
    rates: tuple[float, ...]
    cosine: float
    alone: float

    @property
    def rate(self) -> float:
        """The median."""
        return statistics.median(self.rates)


def main() -> None:
    texts = bench.corpus_texts(bench.corpus_file())
    texts = texts[:: len(texts) // ROWS][:ROWS]
    print(bench.machine(), flush=True)
    tell(measure(texts), len(texts))


def measure(texts: Sequence[str]) -> list[Measured]:
    """All systems that this CPU has the precision for, peers first."""
    precisions = ("float32", "bfloat16") if has_bfloat16() else ("float32",)
    file, model = write_texts("minilm", texts), Path(bench.minilm_spec().model)
    peers = [peer(*one, file) for one in PEERS if one[3] in precisions]
    mine = [ours(*one, model, file) for one in OURS if one[1] in precisions]
    # People who ask one thing have all cores to themselves, as they have with the peers.
    in_one = [ours(*one, model, file, parts=1) for one in OURS if one[1] in precisions]
    systems = [*peers, snippet(model, file), *mine]
    with all_of([*systems, *in_one], LOG):
        in_turn(systems, TURNS)
        alone = _alone([*systems[: -len(mine)], *in_one])
        for system in systems:
            system.end()
    reference = vectors_of(systems[0])
    measured = [
        Measured(
            system.name,
            system.precision,
            system.name.startswith("encorpus"),
            tuple(system.rates()),
            float(np.sum(vectors_of(system) * reference, axis=1).min()),
            milliseconds,
        )
        for system, milliseconds in zip(systems, alone, strict=True)
    ]
    for one in measured:
        if one.cosine < LEAST_COSINE[one.precision]:
            raise SystemExit(f"{one.name}, {one.precision}: other vectors (cosine {one.cosine:.4f}), so no comparison")
    return measured


def _alone(systems: Sequence[System]) -> list[float]:
    """Milliseconds of one text by each, in turn; not a number where there is no such thing."""
    turns = [
        [math.nan if system.name == WITH_START else system.one_milliseconds() for system in systems]
        for _ in range(TURNS)
    ]
    return [statistics.median(times) for times in zip(*turns, strict=True)]


def tell(measured: Sequence[Measured], rows: int) -> None:
    """The table and the chart."""
    fastest = {
        precision: max(one.rate for one in measured if one.precision == precision and not one.ours)
        for precision in {one.precision for one in measured}
    }
    lines = [
        (
            f"**{one.name}**" if one.ours else one.name,
            one.precision,
            f"{min(one.rates):.0f} / {one.rate:.0f} / {max(one.rates):.0f}",
            f"{one.rate / fastest[one.precision]:.2f}",
            f"{one.cosine:.6f}",
            "" if math.isnan(one.alone) else f"{one.alone:.1f} ms",
        )
        for one in measured
    ]
    head = ("", "precision", "rows/s, least / median / most", "of the fastest peer", "least cosine", "one text alone")
    write_section("encoders", [f"{bench.machine()}; {rows:,} texts, {TURNS} turns:", "", *table(head, lines)])
    bars = [
        Bar(f"{one.name}, {one.precision}", one.ours, one.rate, min(one.rates), max(one.rates))
        for one in sorted(measured, key=lambda one: -one.rate)
    ]
    write_chart("encoders", f"all-MiniLM-L6-v2, rows a second, {bench.cores()} cores", bars)


if __name__ == "__main__":
    main()
