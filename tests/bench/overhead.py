"""What all but the encoder costs: a no-op encoder through the whole job, against Ray Data's own pipeline.

    UNITS=n .venv/bin/python -m tests.bench.overhead [CORPUS.parquet]

Both read the same files of 1,000 rows a unit and write 384 numbers a row to this machine's disk. Ray Data's pipeline,
read_parquet, map_batches with one actor, write_parquet, neither syncs what it writes nor says what is in it. What is
Ray's own of encorpus's time: the same tasks through workers that do nothing with them.
"""

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
import ray.data

from pipelines.corpus.plan import Columns
from pipelines.encoder.stats import EncodeStats
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.job.cores import usable_cores
from pipelines.job.finish import finish
from pipelines.job.job import Job
from pipelines.job.pool import CALLS_AT_ONCE, TASKS_IN_FLIGHT, TaskSource, run_tasks
from pipelines.job.pool_size import pool_size
from pipelines.job.prepare import prepare
from pipelines.job.session import nodes_with, ray_session
from pipelines.job.tasks import tasks_for
from pipelines.job.work_order import WorkOrder, work_order
from tests.bench import bench

UNIT_ROWS, FILE_UNITS, DIMENSION = 1000, 100, 384


def main() -> None:
    units = int(os.environ.get("UNITS", "2000"))
    corpus = write_corpus(bench.corpus_texts(bench.corpus_file()), units)
    print(bench.machine(), flush=True)
    theirs = rows_per_second(ray_data, corpus, units)
    print(f"Ray Data's own pipeline: {theirs:,.0f} rows/s", flush=True)
    ours = rows_per_second(encorpus, corpus, units)
    each = 1e6 / ours
    print(f"encorpus with a no-op encoder: {ours:,.0f} rows/s, {ours / theirs:.2f} times that; {each:.1f} µs a row")
    alone = ray_alone(corpus) / units / UNIT_ROWS * 1e6
    print(f"of it Ray's own, with the start of its workers: {alone:.1f} µs a row, {alone / each:.0%}")


def write_corpus(texts: list[str], units: int) -> Path:
    """Files of 100 units each, texts over again."""
    folder = bench.FOLDER / "overhead-corpus"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = np.resize(np.array(texts, object), UNIT_ROWS * FILE_UNITS)
    for number in range(units // FILE_UNITS):
        table = pa.table({"text": np.roll(rows, number)})
        pq.write_table(table, folder / f"{number:06}.parquet", row_group_size=10 * UNIT_ROWS)
    return folder


def rows_per_second(pipeline: Any, corpus: Path, units: int) -> float:
    """From a running Ray to the last file written, workers' start included."""
    output = bench.FOLDER / "overhead-output"
    shutil.rmtree(output, ignore_errors=True)
    with pipeline(corpus, output) as run:
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
    rows = sum(pq.read_metadata(path).num_rows for path in output.glob("*.parquet"))
    if rows != units * UNIT_ROWS:
        raise SystemExit(f"{rows:,} rows came out")
    return rows / seconds


@contextmanager
def encorpus(corpus: Path, output: Path) -> Iterator[Any]:
    """All of the job but its encoder."""
    with ray_session(None, cpus=usable_cores(), watched=False):
        yield lambda: embed_without_encoder(corpus, output)


def embed_without_encoder(corpus: Path, output: Path) -> None:
    columns = Columns("text", keep=("text",))
    prepared = prepare(Job((str(corpus),), str(output), bench.minilm_spec(), columns, UNIT_ROWS))
    size = pool_size(None, 0, nodes_with("CPU"), nodes_with("GPU"))
    order = replace(
        work_order(prepared, threads=1),
        on_bad_row="fail",
        load=lambda order, enter: cast(TextEncoder, NoEncoder(order)),
    )
    records = run_tasks(tasks_for(prepared.remaining, size.most), order, size)
    for record in records:
        if record.shard is None:
            raise SystemExit(f"{record.unit}: {record.message}")
    finish(prepared)


def ray_alone(corpus: Path) -> float:
    """Seconds from a running Ray to the last of the same tasks, through workers that do nothing."""
    columns = Columns("text", keep=("text",))
    output = bench.FOLDER / "overhead-output"
    shutil.rmtree(output, ignore_errors=True)
    prepared = prepare(Job((str(corpus),), str(output), bench.minilm_spec(), columns, UNIT_ROWS))
    workers = usable_cores()
    with ray_session(None, cpus=workers, watched=False):
        start = time.perf_counter()
        tasks = tasks_for(prepared.remaining, workers)
        pool = ray.data.ActorPoolStrategy(
            size=workers,
            max_concurrent_calls_per_actor=CALLS_AT_ONCE,
            max_tasks_in_flight_per_actor=TASKS_IN_FLIGHT,
            enable_true_multi_threading=True,
        )
        source = ray.data.read_datasource(TaskSource(tasks), override_num_blocks=len(tasks), num_cpus=1)
        whole: Any = {"batch_size": None, "batch_format": "pyarrow", "zero_copy_batch": True, "num_cpus": 1}
        for _ in source.map_batches(Nothing, compute=pool, **whole).iter_internal_ref_bundles():
            pass
        return time.perf_counter() - start


class Nothing:
    """Gives tasks back as they came."""

    def __call__(self, table: pa.Table) -> pa.Table:
        return table


class NoEncoder:
    """The same made-up vectors, whatever the texts."""

    def __init__(self, order: WorkOrder) -> None:
        self.dimension = DIMENSION
        self.fingerprint = order.fingerprint
        self.resolved = SimpleNamespace(spec=order.encoder, max_tokens=order.encoder.max_tokens)
        self._vectors = made_up_vectors(2 * UNIT_ROWS)

    def tokenize_documents(self, texts: Iterable[str]) -> SimpleNamespace:
        rows = sum(1 for _ in texts)
        return SimpleNamespace(lengths=np.full(rows, 20, np.int32), truncated=np.zeros(rows, bool), row=np.arange(rows))

    def encode_tokens(self, tokens: Any) -> SimpleNamespace:
        rows = len(tokens.row)
        stats = EncodeStats(texts=rows, distinct=rows, tokens=20 * rows, padded_tokens=20 * rows)
        return SimpleNamespace(vectors=self._vectors[:rows], stats=stats)


@contextmanager
def ray_data(corpus: Path, output: Path) -> Iterator[Any]:
    """read_parquet, map_batches, write_parquet. One actor: two would leave no CPU of two for reading and writing."""
    ray.init(num_cpus=usable_cores(), include_dashboard=False, log_to_driver=False)
    actors = ray.data.ActorPoolStrategy(size=max(1, usable_cores() // 2))
    dataset = ray.data.read_parquet(str(corpus))
    mapped = dataset.map_batches(AppendVectors, batch_format="pyarrow", batch_size=UNIT_ROWS, compute=actors)
    try:
        yield lambda: mapped.write_parquet(str(output))
    finally:
        ray.shutdown()


class AppendVectors:
    """Ray Data's no-op encoder."""

    def __init__(self) -> None:
        self._numbers = made_up_vectors(UNIT_ROWS).reshape(-1)

    def __call__(self, table: pa.Table) -> pa.Table:
        numbers = pa.array(self._numbers[: table.num_rows * DIMENSION])
        return table.append_column("embedding", pa.FixedSizeListArray.from_arrays(numbers, DIMENSION))


def made_up_vectors(rows: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((rows, DIMENSION), np.float32)


if __name__ == "__main__":
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    main()
