"""What a driver needs for a complete output of 200,000 shards when there is nothing left to embed: to write the
manifest, and to find with it that all is done; and how fast `verify` reads large shards. Files in memory; no Ray.

.venv/bin/python -m tests.scale.reruns [UNITS]
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipelines.job.embed import embed
from pipelines.job.finish import finish
from pipelines.job.job import Job
from pipelines.job.ledger import UnitLedger
from pipelines.job.prepare import Prepared, prepare
from pipelines.job.tasks import tasks_for
from pipelines.job.work_order import work_order
from pipelines.job.worker import EmbedWorker
from pipelines.output.layout import Output
from pipelines.output.verify import verify
from tests.scale.driver_costs import rows
from tests.scale.simulated import COLUMNS, ManyWorkers, sleeping, write_corpus, write_model
from tests.scale.watched import high_water

UNITS = 200_000
VERIFIED_UNITS, VERIFIED_ROWS = 16, 50_000


def main() -> None:
    if sys.argv[1:2] == ["once"]:
        print(json.dumps(once(Path(sys.argv[2]))))
        return
    units = int(sys.argv[1]) if len(sys.argv) > 1 else UNITS
    print(f"{units:,} units")
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="reruns-", dir=memory) as name:
        write_corpus(Path(name, "corpus"), units, unit_rows=1, file_units=1000)
        make_shards(job_in(Path(name)), ManyWorkers)
        for line in rows(("", "seconds", "CPU", "peak", "over Python's own, a unit"), _lines(Path(name), units)):
            print(line, flush=True)
    with tempfile.TemporaryDirectory(prefix="verified-", dir=memory) as name:
        print(f"verify reads {verified(Path(name)) / 1e6:,.0f} MB/s of shards of {VERIFIED_ROWS:,} rows, float32")


def verified(folder: Path) -> float:
    """Bytes of shards that are verified a second."""
    write_corpus(folder / "corpus", VERIFIED_UNITS, VERIFIED_ROWS, VERIFIED_UNITS)
    job = job_in(folder, VERIFIED_ROWS)
    finish(make_shards(job, EmbedWorker))
    start = time.perf_counter()
    found = verify(Output(job.output, job.storage))
    if found.violations:
        sys.exit(f"the shards are wrong: {found.violations[:3]}")
    return found.bytes / (time.perf_counter() - start)


def make_shards(job: Job, kind: type[EmbedWorker]) -> Prepared:
    """Has one worker in this process make all shards, but no manifest."""
    prepared = prepare(job)
    worker = kind(replace(work_order(prepared, threads=1), load=sleeping(0)), UnitLedger())
    for task in tasks_for(prepared.remaining, workers=1):
        worker.do(task)
    return prepared


def job_in(folder: Path, shard_rows: int = 1) -> Job:
    """Of the corpus in a folder."""
    spec = write_model(folder / "model")
    return Job((str(folder / "corpus"),), str(folder / "output"), spec, COLUMNS, shard_rows)


def once(folder: Path) -> tuple[float, float, int, int]:
    """Runs the job in this process: seconds, CPU seconds, and bytes resident before and at most."""
    before = high_water()
    start = time.monotonic(), time.process_time()
    summary = embed(job_in(folder))
    seconds, spent = time.monotonic() - start[0], time.process_time() - start[1]
    if summary.manifest is None:
        sys.exit("there is no manifest")
    return seconds, spent, before, high_water()


def _lines(folder: Path, units: int) -> Iterator[tuple[str, ...]]:
    for name in ("the manifest is written", "all is done already"):
        command = [sys.executable, "-m", "tests.scale.reruns", "once", str(folder)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, spent, before, peak = json.loads(out.splitlines()[-1])
        more = (peak - before) / units / 1e3
        yield name, f"{seconds:.1f}", f"{spent:.1f} s", f"{peak / 1e6:,.0f} MB", f"{more:.2f} kB"


if __name__ == "__main__":
    main()
