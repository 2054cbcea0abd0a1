"""The batch script, run here by a Slurm of a few lines: a job whose time is over is queued again, goes on where it was,
and leaves nothing behind."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cluster.deploy.files import DEPLOY, ROOT

SCRIPT = DEPLOY / "slurm" / "embed.sbatch"
ROWS, SHARD_ROWS = 2000, 5
SECONDS = 150

SRUN = """#!/usr/bin/env bash
stat --format %a "$RAY_AUTH_TOKEN_PATH" > "$SLURM_TOLD/mode"
while [[ $1 == -* ]]; do [[ $1 == *=* ]] || shift; shift; done
exec "$@"
"""
SCONTROL = """#!/usr/bin/env bash
echo "$@" > "$SLURM_TOLD/scontrol"
"""


@dataclass
class Slurm:
    """A batch job's folder, and what it and its commands said."""

    folder: Path
    number: int

    def start(self) -> subprocess.Popen[bytes]:
        """The script, as a batch job of one node."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment |= {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SLURM_JOB_ID": str(self.number),
            "SLURM_CPUS_PER_TASK": "2",
            "SLURM_TOLD": str(self.folder),
        }
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(["bash", self.folder / "embed.sbatch"], env=environment, stdout=log, stderr=log)

    @property
    def shards(self) -> int:
        """How many are committed."""
        return len(list(self.folder.glob("out/part-*.parquet")))

    @property
    def left(self) -> list[str]:
        """Command lines of processes that belong to the job."""
        marks = f"/tmp/ray-{self.number}", str(self.folder)
        lines = [line.read_bytes().replace(b"\0", b" ").decode() for line in _command_lines()]
        return [line for line in lines if any(mark in line for mark in marks)]


def _command_lines() -> Iterator[Path]:
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line.read_bytes()
        except OSError:
            continue
        yield line


@pytest.fixture(scope="module")
def slurm(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Slurm:
    """A corpus, a model, and the script filled in."""
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "bin").mkdir()
    for name, content in (("srun", SRUN), ("scontrol", SCONTROL)):
        command = folder / "bin" / name
        command.write_text(content)
        command.chmod(0o755)
    pq.write_table(pa.table({"text": [f"the file {row}" for row in range(ROWS)]}), folder / "corpus.parquet")
    script = SCRIPT.read_text()
    embed = (
        f"encorpus embed {folder}/corpus.parquet -o {folder}/out --model {tiny_model} "
        f"--workers 1 --shard-rows {SHARD_ROWS}"
    )
    for what, mine in (
        (r"^environment=.*$", f"environment={sys.prefix}"),
        (r"^folder=.*$", f"folder={folder}"),
        (r"^embed=\(\n(.*\n)*?\)$", f"embed=({embed})"),
    ):
        script, changed = re.subn(what, mine, script, count=1, flags=re.MULTILINE)
        assert changed, what
    (folder / "embed.sbatch").write_text(script)
    return Slurm(folder, os.getpid())


@pytest.fixture(scope="module")
def interrupted(slurm: Slurm) -> int:
    """Its exit status, once it was told in the midst of its work that its time is over."""
    process = slurm.start()
    until = time.monotonic() + SECONDS
    while slurm.shards < 3:
        assert process.poll() is None and time.monotonic() < until, (slurm.folder / "log").read_text()
        time.sleep(0.1)
    process.send_signal(signal.SIGUSR1)
    return process.wait(SECONDS)


def test_a_job_whose_time_is_over_is_queued_again(slurm: Slurm, interrupted: int):
    assert interrupted, (slurm.folder / "log").read_text()
    assert (slurm.folder / "scontrol").read_text().split() == ["requeue", str(slurm.number)]


def test_nothing_of_it_is_left(slurm: Slurm, interrupted: int):
    assert (slurm.left, list(slurm.folder.glob("ray-token*"))) == ([], [])


def test_its_token_was_its_owners_alone(slurm: Slurm, interrupted: int):
    assert int((slurm.folder / "mode").read_text(), 8) == stat.S_IRUSR | stat.S_IWUSR


def test_queued_again_it_does_what_is_missing(slurm: Slurm, interrupted: int):
    before, written = slurm.shards, {path: path.stat().st_mtime_ns for path in slurm.folder.glob("out/part-*")}
    assert before < ROWS // SHARD_ROWS
    assert slurm.start().wait(SECONDS) == 0, (slurm.folder / "log").read_text()
    assert slurm.shards == ROWS // SHARD_ROWS
    assert all(path.stat().st_mtime_ns == at for path, at in written.items())
