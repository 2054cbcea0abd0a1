"""Chaos: jobs over two S3 servers that fail, while their processes are killed; then over a disk that fills up.

    KILLS=n SEED=n .venv/bin/python -m tests.e2e.chaos

Nothing may be lost or doubled, every shard has to be readable, and every run has to end by itself. What came out is
read by DuckDB, which knows nothing of encorpus.
"""

import itertools
import json
import os
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from pipelines.output.layout import Output
from pipelines.storage import Storage
from tests.e2e.case import Case
from tests.e2e.killing import GIVE_UP_SECONDS, TARGETS, Run, running
from tests.fault_proxy import FaultProxy
from tests.fault_proxy import running as proxied
from tests.s3_server import KEY, SECRET, free_port, moto_server, new_bucket, rclone_server
from tests.tiny_model import package_tiny_model

FAULT_RATE = 0.1
ROWS, SHARD_ROWS = 20_000, 20
# A killed worker is the commonest death, and the run goes on after it.
DEATHS = ("worker", "worker", "raylet", *TARGETS)
MOST_RUNS = 100
FULL, ROOMY = "2m", "1g"


@dataclass
class Tally:
    """What was done to the jobs, and what they did. statuses: exit statuses of the runs that ended by themselves."""

    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    jobs: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Stage:
    """A server, the proxy in front of it, and the corpus in it. server: reached directly, without faults."""

    server: Storage
    proxy: str
    bucket: str
    case: Case

    def run(self, output: str) -> AbstractContextManager[Run]:
        """A run of `embed` that reaches the server through the proxy."""
        options = {"key": KEY, "secret": SECRET, "endpoint_url": self.proxy}
        stored = [word for name, value in options.items() for word in ("--storage-option", f"{name}={value}")]
        command = [f"{self.bucket}/corpus", "-o", output, *self.case.options, *stored]
        return running(*command, log=self.case.log)

    def shards(self, output: str) -> list[str]:
        """The names of the shards that are there."""
        return [name for name in self.server.names(output) if name.startswith("part-")]


def main() -> None:
    kills, seed = int(os.environ.get("KILLS", "52")), int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"SEED={seed}", flush=True)
    choice, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        model = package_tiny_model(folder)
        case = Case(folder, model, ROWS, SHARD_ROWS)
        servers: tuple[Callable[[], AbstractContextManager[Storage]], ...] = (
            moto_server,
            lambda: rclone_server(_new(folder / "buckets")),
        )
        for number, server in enumerate(servers, 1):
            with server() as storage:
                under_fire(storage, case, model, choice, tally, kills * number // len(servers))
        full_disk(case, model, _new(folder / "small"))
    print(json.dumps({"kills": tally.kills, "faults": tally.faults, "statuses": tally.statuses}))
    print(
        f"{tally.kills.total()} kills, {tally.faults.total()} faults; {tally.jobs} jobs, {tally.rows:,} rows: "
        "0 lost, 0 doubled, 0 unreadable shards"
    )


def under_fire(server: Storage, case: Case, model: Path, choice: random.Random, tally: Tally, kills: int) -> None:
    """Jobs over one server, one after the other, until so many kills are tallied."""
    bucket, port = new_bucket(server), free_port()
    for path in case.corpus.iterdir():
        server.write_atomic(f"{bucket}/corpus/{path.name}", path.read_bytes())
    proxy = FaultProxy(str(server.options["endpoint_url"]), FAULT_RATE, seed=choice.randrange(10**6))
    with proxied(proxy, port):
        stage = Stage(server, f"http://127.0.0.1:{port}", bucket, case)
        for number in itertools.count():
            output = f"{bucket}/out-{number}"
            embed_under_fire(stage, output, choice, tally, kills)
            check(stage, output, model)
            tally.jobs += 1
            tally.rows += len(case.texts)
            print(
                f"{server.options['endpoint_url']}: {tally.kills.total()} kills, {proxy.told()['faults']}", flush=True
            )
            if tally.kills.total() >= kills:
                break
    tally.faults.update(proxy.told()["faults"])


def embed_under_fire(stage: Stage, output: str, choice: random.Random, tally: Tally, kills: int) -> None:
    """The same command again and again until it finishes, killed on the way."""
    for _ in range(MOST_RUNS):
        with stage.run(output) as run:
            ended = _fire(stage, run, output, choice, tally, kills)
            status = run.wait() if ended else None
        if status is not None:
            tally.statuses[status] += 1
        if status == 3:
            return
    raise AssertionError(f"{output}: not finished after {MOST_RUNS} runs; see {stage.case.log}")


def _fire(stage: Stage, run: Run, output: str, choice: random.Random, tally: Tally, kills: int) -> bool:
    """Kills while the run lives; tells whether it is left to end by itself."""
    while run.alive and tally.kills.total() < kills:
        if not _makes_progress(stage, run, output):
            return True
        time.sleep(choice.uniform(0, 4))
        target = choice.choice(DEATHS)
        if run.alive and run.kill(target, choice):
            tally.kills[target] += 1
            if target in ("driver", "everything"):
                return False
            if target == "raylet":
                return True
    return True


def _makes_progress(stage: Stage, run: Run, output: str) -> bool:
    """Waits for another shard; False when the run ends before."""
    before, deadline = len(stage.shards(output)), time.monotonic() + GIVE_UP_SECONDS
    while run.alive:
        if len(stage.shards(output)) > before:
            return True
        if time.monotonic() > deadline:
            raise TimeoutError(f"{output}: no shard more in {GIVE_UP_SECONDS} s; see {stage.case.log}")
        time.sleep(0.5)
    return False


def check(stage: Stage, output: str, model: Path) -> None:
    """The output is whole, by `verify` and by a reader of Parquet that is none of ours."""
    stage.case.assert_proven(Output(output, stage.server))
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        for name in stage.shards(output):
            Path(folder, name).write_bytes(stage.server.read_bytes(f"{output}/{name}"))
        check_with_duckdb(Path(folder), stage.case, model)


def check_with_duckdb(folder: Path, case: Case, model: Path) -> None:
    """Every row is there once, with its vector."""
    rows = duckdb.connect().execute(f"SELECT id, embedding FROM '{folder}/part-*.parquet'").fetchall()
    assert len(rows) == len(case.texts)
    case.assert_vectors({name: np.array(vector, np.float32) for name, vector in rows}, model)


def full_disk(case: Case, model: Path, disk: Path) -> None:
    """A disk that is full stops the job; with room made, it goes on."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL}", "tmpfs", disk]).returncode:
        print("full disk: left out, for only root can mount a small one")
        return
    try:
        command = [str(case.corpus), "-o", str(disk / "out"), *case.options]
        with running(*command, log=case.log) as run:
            assert run.wait() == 1
        assert "make room and run again" in case.log.read_text(errors="replace").splitlines()[-1]
        subprocess.run(["mount", "-o", f"remount,size={ROOMY}", disk], check=True)
        with running(*command, log=case.log) as run:
            assert run.wait() == 3
        case.assert_proven(Output(str(disk / "out"), Storage()))
        check_with_duckdb(disk / "out", case, model)
    finally:
        subprocess.run(["umount", disk], check=True)
    print("full disk: stopped, and went on when there was room", flush=True)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
