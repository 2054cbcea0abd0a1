"""Runs of the real `encorpus embed`, and SIGKILLs of what belongs to them. Only processes of the run are touched."""

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

GIVE_UP_SECONDS = 300
PATIENCE_SECONDS = 10
TARGETS = ("driver", "worker", "everything")


class Run:
    """One run of the command, as a process of its own with a Ray of its own below it."""

    def __init__(self, *arguments: str, log: Path) -> None:
        command = [sys.executable, "-m", "cluster.cli", "embed", *arguments]
        with log.open("ab") as sink:
            self._process = subprocess.Popen(command, stdout=sink, stderr=sink, start_new_session=True)
        self._all = psutil.Process(self._process.pid)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def processes(self) -> list[psutil.Process]:
        """The driver, and every process below it."""
        try:
            return [self._all, *self._all.children(recursive=True)]
        except psutil.NoSuchProcess:
            return [self._all]

    def wait(self) -> int:
        """The exit status."""
        return self._process.wait(GIVE_UP_SECONDS)

    def kill(self, target: str, choice: random.Random) -> bool:
        """SIGKILLs the driver, one worker, the raylet, or every process of the run; tells whether there was one."""
        family = self.processes()[1:]
        workers = [process for process in family if "MapWorker" in command_line(process)]
        raylets = [process for process in family if "raylet/raylet" in command_line(process)]
        chosen = {
            "driver": [self._all],
            "worker": choice.sample(workers, min(1, len(workers))),
            "raylet": raylets,
        }
        victims = chosen.get(target, [self._all, *family])
        for process in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if target in ("driver", "everything"):
            self._process.wait(GIVE_UP_SECONDS)
            _end_all(family)
        return bool(victims)

    def end(self) -> None:
        """Kills what is left of the run."""
        if self.alive:
            self.kill("everything", random.Random())


@contextlib.contextmanager
def running(*arguments: str, log: Path) -> Iterator[Run]:
    """A run that does not outlive the block."""
    run = Run(*arguments, log=log)
    try:
        yield run
    finally:
        run.end()


def wait_for_shards(run: Run, output: Path, count: int) -> bool:
    """Waits until the output has so many shards; False when the run ends before."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < deadline:
        if len(list(output.glob("part-*.parquet"))) >= count:
            return True
        if not run.alive:
            return False
        time.sleep(0.01)
    raise TimeoutError(f"no {count} shards in {output} after {GIVE_UP_SECONDS} s")


def _end_all(family: list[psutil.Process]) -> None:
    """Ray's processes notice that their driver is gone; now and then one that was just starting does not."""
    _, left = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def command_line(process: psutil.Process) -> str:
    """The process's own, which Ray's processes set to what they are; empty for one that has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
