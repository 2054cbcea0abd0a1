"""Processes that are measured in turn: loaded beside each other, each at work only while it is asked. See `asked`."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

Process = subprocess.Popen[str]


@dataclass
class System:
    """commands: of its processes, that work at the same time. vectors: the file that each writes at its end, or none.

    facts: what each said when it had loaded. told: what each said, and seconds: until the last was done, of each time
    that they were asked for all their texts.
    """

    name: str
    precision: str
    commands: Sequence[Sequence[str | Path]]
    vectors: Sequence[Path] = ()
    processes: list[Process] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    told: list[list[dict[str, Any]]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def start(self, log: Path) -> None:
        """Until each has loaded. log: for their chatter."""
        for command, file in zip_longest(self.commands, self.vectors):
            self.processes.append(_process([*command, *([file] if file else [])], log))
        self.facts = [self._line(process) for process in self.processes]

    def work(self) -> None:
        """All its texts, once."""
        start = time.perf_counter()
        for process in self.processes:
            _send(process, "all")
        self.told.append([self._line(process) for process in self.processes])
        self.seconds.append(time.perf_counter() - start)

    def rates(self, what: str = "rows") -> list[float]:
        """Of each turn, what its processes do in a second, each until its own end: as while all of them have work.

        what: the name by which they tell it, with each turn or when they had loaded.
        """
        return [
            sum({**facts, **one}[what] / one["seconds"] for facts, one in zip(self.facts, turn, strict=True))
            for turn in self.told
        ]

    def one_milliseconds(self) -> float:
        """The median of a text alone, in the first process while the others do nothing."""
        _send(self.processes[0], "one")
        return float(self._line(self.processes[0])["milliseconds"])

    def end(self) -> None:
        """Has each write its vectors and end."""
        for process in self.processes:
            process.communicate()
            if process.returncode:
                raise SystemExit(f"{self.name}, {self.precision}: it ends with status {process.returncode}")

    def kill(self) -> None:
        """Ends what is left of it."""
        for process in self.processes:
            process.kill()
            process.wait()

    def _line(self, process: Process) -> dict[str, Any]:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}, {self.precision}: it does not go on; its log says why")
        return json.loads(line)


@contextmanager
def all_of(systems: Sequence[System], log: Path) -> Iterator[None]:
    """Systems that have loaded, one after the other; none outlives the block. log: for their chatter."""
    with ExitStack() as stack:
        for system in systems:
            stack.callback(system.kill)
            system.start(log)
            print(f"{system.name}, {system.precision}: loaded", flush=True)
        yield


def in_turn(systems: Sequence[System], turns: int) -> None:
    """Has each work once a turn; says how far it is."""
    for turn in range(turns):
        for system in systems:
            system.work()
            print(f"turn {turn + 1}: {system.name}, {system.precision}: {system.seconds[-1]:.1f} s", flush=True)


def _process(command: Sequence[str | Path], log: Path) -> Process:
    quiet = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "RAY_AUTH_MODE": "disabled"}
    with log.open("ab") as chatter:
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            env={**os.environ, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=chatter,
            text=True,
        )


def _send(process: Process, what: str) -> None:
    assert process.stdin
    process.stdin.write(f"{what}\n")
    process.stdin.flush()
