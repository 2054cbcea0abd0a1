"""A rerun of a finished job on a local S3 server, of 200 units and of 20,000: seconds, and peak memory of the driver.

.venv/bin/python -m tests.bench.rerun
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan import Columns, Unit
from pipelines.corpus.readers import read_slice
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.job.commit import commit_unit
from pipelines.job.embedded import EmbeddedRows
from pipelines.job.finish import finish
from pipelines.job.prepare import Job, Prepared, prepare
from pipelines.output.shard_info import ShardInfo
from pipelines.pool_map import pool_map
from pipelines.storage import Storage
from tests.bench.bench import machine
from tests.s3_server import moto_server, new_bucket
from tests.tiny_model import package_tiny_model

UNITS = (200, 20_000)
UNIT_ROWS, UNITS_A_FILE = 5, 100
WIDTH = 32
THREADS = 8


def main() -> None:
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="rerun-") as name, moto_server() as storage:
        folder = Path(name)
        model = package_tiny_model(folder)
        for units in UNITS:
            job = finished_job(folder / f"corpus-{units}", units, model, storage)
            seconds, peak = rerun(job)
            print(f"{units:,} units: {seconds:.1f} s from the command to its end, {peak / 1e6:,.0f} MB", flush=True)


def finished_job(corpus: Path, units: int, model: Path, storage: Storage) -> Job:
    """A job whose every unit is committed, with made-up vectors."""
    corpus.mkdir()
    for number in range(units // UNITS_A_FILE):
        texts = [f"text {number} {row}" for row in range(UNIT_ROWS * UNITS_A_FILE)]
        pq.write_table(pa.table({"text": texts}), corpus / f"{number:06}.parquet", row_group_size=UNIT_ROWS)
    spec = EncoderSpec(str(model), pooling="mean")
    output = f"{new_bucket(storage)}/out"
    job = Job((str(corpus),), output, spec, Columns("text"), UNIT_ROWS, storage=storage)
    prepared = prepare(job)
    for _ in pool_map(lambda unit: commit(prepared, unit), prepared.remaining.units, THREADS):
        pass
    finish(prepared)
    return job


def commit(prepared: Prepared, unit: Unit) -> ShardInfo:
    rows = read_slice(prepared.plan, unit, prepared.job.columns, prepared.job.storage)
    count = rows.table.num_rows
    embedded = EmbeddedRows(rows, np.full(count, 5, np.int32), np.zeros(count, bool), np.ones((count, WIDTH), "f4"))
    fake = SimpleNamespace(
        dimension=WIDTH, fingerprint=prepared.resolved.fingerprint, resolved=SimpleNamespace(spec=prepared.job.encoder)
    )
    return commit_unit(prepared.output, prepared.plan, prepared.job.columns, embedded, cast(TextEncoder, fake))


def rerun(job: Job) -> tuple[float, int]:
    """Seconds and peak bytes of the same command again."""
    command = [sys.executable, "-m", "cluster.cli", "embed", *job.inputs, "-o", job.output]
    command += ["--model", job.encoder.model, "--pooling", "mean", "--shard-rows", str(UNIT_ROWS)]
    command += [word for name, value in job.storage.options.items() for word in ("--storage-option", f"{name}={value}")]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, high_water(process.pid))
        time.sleep(0.02)
    if process.returncode:
        sys.exit(f"the rerun failed with status {process.returncode}")
    return time.perf_counter() - start, peak


def high_water(pid: int) -> int:
    """The most bytes that the process has held so far; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
