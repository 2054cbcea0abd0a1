"""One huge stream: a gzip file of 2 GB and long rows, embedded by two workers, killed at 80 %, and run again.

    .venv/bin/python -m tests.bench.huge_stream [GB]

Prints the peak memory of every process over what it takes for one row, what the second run did again, and how fast a
worker passes over slices that are not its own. The model is tiny: reading is what is measured.
"""

import contextlib
import gzip
import json
import random
import string
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from pipelines.corpus.plan import Columns, plan_from_bytes
from pipelines.corpus.readers import stream_slices
from pipelines.output.layout import Output
from pipelines.output.manifest import Manifest, load_manifest
from pipelines.output.verify import verify
from pipelines.storage import Storage
from tests.bench.bench import machine
from tests.e2e.killing import Run, command_line, running
from tests.tiny_model import WORDS, package_tiny_model

ROW_CHARACTERS, SHARD_ROWS = 100_000, 1000
# Made once and put together in another order each time: as gzip members they are one file all the same.
MEMBERS, MEMBER_ROWS = 24, 100
MOST_OVER_THE_MODEL, MOST_DONE_AGAIN = 1.5e9, 0.25
KILL_AT = 0.8
SAMPLE_SECONDS = 0.2
GB = 1e9

Peaks = dict[str, float]


def main() -> None:
    size = float(sys.argv[1]) * GB if len(sys.argv) > 1 else 2 * GB
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="huge-stream-") as name:
        folder = Path(name)
        model = package_tiny_model(folder)
        one_row, huge = folder / "one-row.jsonl.gz", folder / "huge.jsonl.gz"
        one_row.write_bytes(gzip.compress(b'{"text": "the text"}\n'))
        rows = write_stream(huge, size)
        print(f"{huge.stat().st_size / GB:.2f} GB of gzip, {rows:,} rows of {ROW_CHARACTERS:,} characters", flush=True)
        loaded = whole_run(command(one_row, folder / "one", model), folder)
        peaks, seconds, again = killed_and_run_again(command(huge, folder / "out", model), rows, folder)
        most_over = report_memory(loaded, peaks)
        print(f"{seconds[0]:.0f} s to the kill, {seconds[1]:.0f} s again; rows done again: {again:.1%}", flush=True)
        report_skipping(folder / "out")
        violations = verify(Output(str(folder / "out"), Storage()), with_input=True).violations
        print("verified" if not violations else "\n".join(map(str, violations)))
        if violations or most_over > MOST_OVER_THE_MODEL or again > MOST_DONE_AGAIN:
            sys.exit("a bar is missed")


def write_stream(path: Path, size: float) -> int:
    """Writes gzip members of JSON Lines until the file is so large; tells its rows."""
    choice = random.Random(1)
    members = [gzip.compress("".join(rows(choice)).encode(), compresslevel=1) for _ in range(MEMBERS)]
    written = 0
    with path.open("wb") as file:
        while file.tell() < size:
            for member in choice.sample(members, MEMBERS):
                file.write(member)
            written += MEMBERS * MEMBER_ROWS
    return written


def rows(choice: random.Random) -> Iterator[str]:
    """Rows that begin with a sentence and go on with letters that hardly compress; a character beyond 16 bits in each
    makes it as wide as a string can be in memory."""
    letters = string.ascii_letters + string.digits
    for _ in range(MEMBER_ROWS):
        sentence = " ".join(choice.choices(WORDS, k=20))
        blob = "".join(choice.choices(letters, k=ROW_CHARACTERS))
        words = " ".join(blob[start : start + 120] for start in range(0, len(blob), 120))
        yield json.dumps({"text": f"{sentence} \N{FOX FACE} {words}"[:ROW_CHARACTERS]}, ensure_ascii=False) + "\n"


def command(corpus: Path, output: Path, model: Path) -> list[str]:
    """The words of the run."""
    options = ["--pooling", "mean", "--max-tokens", "32", "--workers", "2", "--shard-rows", str(SHARD_ROWS)]
    return [str(corpus), "-o", str(output), "--model", str(model), *options]


def killed_and_run_again(words: list[str], rows: int, folder: Path) -> tuple[Peaks, tuple[float, float], float]:
    """Peaks over both runs, seconds to the kill and of the second run, and the share of rows the second one made."""
    output = Path(words[2])
    start = time.monotonic()
    with running(*words, log=folder / "run.log") as run:
        first = peaks_until(run, output, round(KILL_AT * -(-rows // SHARD_ROWS)))
        run.kill("everything", random.Random())
    to_the_kill = time.monotonic() - start
    before = {path.name: path.stat().st_mtime_ns for path in output.glob("part-*")}
    start = time.monotonic()
    second = whole_run(words, folder)
    after = {path.name: path.stat().st_mtime_ns for path in output.glob("part-*")}
    assert {name: after[name] for name in before} == before, "the second run wrote a shard that was there"
    shards = finished(output).shards
    made = sum(shard.rows for shard in shards if f"{shard.unit}.parquet" not in before)
    peaks = {kind: max(first.get(kind, 0), second.get(kind, 0)) for kind in first | second}
    return peaks, (to_the_kill, time.monotonic() - start), made / rows


def whole_run(words: list[str], folder: Path) -> Peaks:
    """Peaks of a run that must succeed."""
    with running(*words, log=folder / "run.log") as run:
        peaks = peaks_until(run)
        if run.wait():
            sys.exit(f"embed failed:\n{(folder / 'run.log').read_text()}")
    return peaks


def peaks_until(run: Run, output: Path | None = None, shards: int = 0) -> Peaks:
    """Peak resident bytes by kind of process, until so many shards are there or the run ends."""
    peaks: Peaks = {}
    while run.alive and (output is None or len(list(output.glob("part-*.parquet"))) < shards):
        driver, *others = run.processes()
        for process in (driver, *others):
            kind = "driver" if process is driver else "worker" if "MapWorker" in command_line(process) else "any other"
            peaks[kind] = max(peaks.get(kind, 0), peak_of(process))
        time.sleep(SAMPLE_SECONDS)
    return peaks


def peak_of(process: psutil.Process) -> float:
    """The most bytes that it ever had resident: the kernel's own mark, which misses nothing. 0 if it has ended."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{process.pid}/status").read_text()
        return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024
    return 0


def report_memory(loaded: Peaks, peaks: Peaks) -> float:
    """Prints the peaks; gives the largest difference."""
    for kind, peak in peaks.items():
        print(f"{kind}: {peak / GB:.2f} GB at most, {(peak - loaded[kind]) / GB:.2f} over one row's")
    return max(peak - loaded[kind] for kind, peak in peaks.items())


def report_skipping(output: Path) -> None:
    """How fast a worker gets through the stream where no slice is its own."""
    storage = Storage()
    plan = plan_from_bytes(storage.read_bytes(Output(str(output), storage).plan_uri))
    file = plan.files[0]
    start = time.perf_counter()
    every = range(len(finished(output).shards))
    assert not list(stream_slices(plan, file, Columns("text"), storage, stripe=0, stripes=1, done=every))
    rate = file.size / (time.perf_counter() - start) / 1e6
    print(f"skipping: {rate:.0f} MB/s of gzip", flush=True)


def finished(output: Path) -> Manifest:
    """The manifest of a finished output."""
    manifest = load_manifest(Output(str(output), Storage()))
    assert manifest is not None
    return manifest


if __name__ == "__main__":
    main()
