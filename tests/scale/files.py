"""What the files of a large output weigh, and what it takes to write and read them: plan.parquet and manifest.json.

.venv/bin/python -m tests.scale.files [FILES UNITS_A_FILE]
"""

import hashlib
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from pipelines.corpus.plan import CorpusFile, Plan, Unit, plan_from_bytes, plan_to_bytes
from pipelines.output.layout import Output
from pipelines.output.manifest import Manifest, ShardEntry, load_manifest, make_manifest, manifest_to_bytes
from pipelines.output.remaining import remaining
from pipelines.storage import Storage
from tests.scale.driver_costs import rows

FILES, UNITS_A_FILE = 10_000, 20
UNIT_ROWS = 50_000


def main() -> None:
    files, units_a_file = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (FILES, UNITS_A_FILE)
    print(f"{files:,} files of {units_a_file} units: {files * units_a_file:,} units of {UNIT_ROWS:,} rows")
    for line in rows(("", "size", "a unit", "seconds", "memory at most", "a unit"), _lines(files, units_a_file)):
        print(line, flush=True)


def _lines(files: int, units_a_file: int) -> Iterator[tuple[str, ...]]:
    plan = plan_of(files, units_a_file)
    units = files * units_a_file

    def line(name: str, act: Callable[[], Any], size: int | None = None) -> tuple[tuple[str, ...], Any]:
        made, seconds, peak = _cost(act)
        held = size if size is not None else len(made)
        told = f"{held / 1e6:.1f} MB", f"{held / units:,.0f} B"
        return (name, *told, f"{seconds:.1f}", f"{peak / 1e6:,.0f} MB", f"{peak / units / 1e3:.2f} kB"), made

    told, data = line("plan.parquet, written", lambda: plan_to_bytes(plan))
    yield told
    yield line("plan.parquet, read", lambda: plan_from_bytes(data), len(data))[0]
    manifest = manifest_of(plan)
    told, data = line("manifest.json, written", lambda: manifest_to_bytes(manifest))
    yield told
    with tempfile.TemporaryDirectory() as folder:
        output = Output(folder, Storage())
        output.storage.write_atomic(output.manifest_uri, data)
        yield line("manifest.json, read", lambda: load_manifest(output), len(data))[0]
        committed = frozenset(plan.units())
        yield line("what is missing of a complete output", lambda: remaining(plan, committed, output), 0)[0]


def _cost(act: Callable[[], Any]) -> tuple[Any, float, int]:
    """What it gives, its seconds, and in another round the most bytes that Python held for it at a time."""
    start = time.perf_counter()
    made = act()
    seconds = time.perf_counter() - start
    del made
    tracemalloc.start()
    made = act()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return made, seconds, peak


def plan_of(files: int, units_a_file: int) -> Plan:
    """Parquet files in an object store, each with a time of its own."""
    bounds = tuple(UNIT_ROWS * number for number in range(units_a_file + 1))
    return Plan(
        tuple(
            CorpusFile(
                number=number,
                uri=f"s3://corpora/web/2025/11/part-{number:06d}-of-{files:06d}.snappy.parquet",
                size=2_000_000_000 + number,
                version=hashlib.md5(str(number).encode()).hexdigest() + "-238",
                format="parquet",
                compression=None,
                rows=bounds[-1],
                bounds=bounds,
                error=None,
            )
            for number in range(files)
        ),
        UNIT_ROWS,
    )


def manifest_of(plan: Plan) -> Manifest:
    """Of all its units, with checksums of their own."""
    return make_manifest("0" * 64, "1" * 64, map(_entry, plan.units()))


def _entry(unit: Unit) -> ShardEntry:
    checksum = hashlib.sha256(unit.name.encode()).hexdigest()
    spread = int(checksum[:8], 16) / 2**32
    return ShardEntry(
        unit=unit.name,
        rows=UNIT_ROWS,
        documents=UNIT_ROWS,
        rejects=int(spread * 9),
        tokens=int(UNIT_ROWS * (60 + spread)),
        truncated=int(spread * 5000),
        bytes=int(UNIT_ROWS * (780 + spread)),
        checksum=checksum,
        dimension=384,
        scale=1.0,
        norm_min=1 - spread * 1e-7,
        norm_mean=1 + spread * 1e-9,
        norm_max=1 + spread * 1e-7,
    )


if __name__ == "__main__":
    main()
