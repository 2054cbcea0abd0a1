"""What a driver costs a unit, at several sizes of a job, beside Ray Data's own cost; in one table.

    .venv/bin/python -m tests.scale.driver_costs [UNITS...]

Each size has a driver of its own. Its files lie in memory (/dev/shm), 5 KB a unit.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.scale.driver import PROCESSES, WORKERS, Figures
from tests.scale.watched import Held, watched

SIZES = (25_000, 50_000, 100_000, 200_000)
LEDGER, HEAD = "ray::UnitLedger", "gcs_server"

COLUMNS = (
    "units",
    "tasks",
    "Ray alone: CPU",
    "peak",
    "encorpus: CPU",
    "of it plan, finish",
    "peak",
    "over Ray's: CPU a unit",
    "memory a unit",
    "units/s",
    "ledger: CPU a unit",
    "peak",
)


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or SIZES
    print(f"{WORKERS} workers of two calls each, in {PROCESSES} processes")
    for line in rows(COLUMNS, measured(sizes)):
        print(line, flush=True)


def measured(sizes: list[int] | tuple[int, ...]) -> Iterator[tuple[str, ...]]:
    """A row a size."""
    for units in sizes:
        alone, _ = figures("ray", units)
        whole, held = figures("encorpus", units)
        yield row(alone, whole, held[LEDGER])


def figures(what: str, units: int) -> tuple[Figures, dict[str, Held]]:
    """Of one driver."""
    folder = tempfile.mkdtemp(prefix="scale-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    try:
        command = [sys.executable, "-m", "tests.scale.driver", what, str(units), f"{folder}/job"]
        out, held = watched(command, (LEDGER, HEAD))
    finally:
        shutil.rmtree(folder)
    line = out.splitlines()[-1]
    print(line, {kind: vars(of) for kind, of in held.items()}, file=sys.stderr, flush=True)
    return Figures(**json.loads(line)), held


def row(alone: Figures, whole: Figures, ledger: Held) -> tuple[str, ...]:
    """CPU and memory of Ray Data, of the whole job, and what the job has more."""
    cpu = whole.plan_cpu + whole.work_cpu + whole.finish_cpu
    more_cpu, more_bytes = cpu - alone.work_cpu, whole.peak_bytes - alone.peak_bytes
    return (
        f"{whole.units:,}",
        f"{whole.tasks:,}",
        f"{alone.work_cpu:.0f} s",
        f"{alone.peak_bytes / 1e6:,.0f} MB",
        f"{cpu:.0f} s",
        f"{whole.plan_cpu:.1f}, {whole.finish_cpu:.0f} s",
        f"{whole.peak_bytes / 1e6:,.0f} MB",
        f"{more_cpu / whole.units * 1e3:.2f} ms",
        f"{more_bytes / whole.units / 1e3:.2f} kB",
        f"{whole.units / whole.work_wall:,.0f}",
        f"{ledger.cpu_seconds / whole.units * 1e3:.2f} ms",
        f"{ledger.peak_bytes / 1e6:,.0f} MB",
    )


def rows(names: tuple[str, ...], lines: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """A table in Markdown, line by line as it comes."""
    yield f"| {' | '.join(names)} |"
    yield f"|{' --- |' * len(names)}"
    yield from (f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    main()
