"""Runs a command, and watches what the processes below it hold and burn, from outside."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

WATCH_SECONDS = 0.5


@dataclass
class Held:
    """Of one kind of process: the most bytes resident at a time in all of them, CPU seconds of all of them."""

    peak_bytes: int = 0
    cpu_seconds: float = 0.0


def high_water() -> int:
    """The most bytes resident in this process so far. What getrusage tells may be its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def watched(command: Sequence[str], kinds: Sequence[str]) -> tuple[str, dict[str, Held]]:
    """Standard output, and what the processes below it held whose command lines start with, or name, a kind.

    Raises CalledProcessError.
    """
    held = {kind: Held() for kind in kinds}
    seconds: dict[tuple[str, int], float] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            now = dict.fromkeys(kinds, 0)
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
                try:
                    kind = next((kind for kind in kinds if kind in child.cmdline()[0]), None)
                    if kind is not None:
                        now[kind] += child.memory_info().rss
                        times = child.cpu_times()
                        seconds[kind, child.pid] = times.user + times.system
                except (psutil.Error, IndexError):
                    continue
            for kind in kinds:
                held[kind].peak_bytes = max(held[kind].peak_bytes, now[kind])
            time.sleep(WATCH_SECONDS)
        out = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    for (kind, _), spent in seconds.items():
        held[kind].cpu_seconds += spent
    return out, held
