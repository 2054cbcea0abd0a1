"""Made-up runs for reports: large, troubled, tiny; by records through the history, as a real run's."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from pipelines.corpus.rows import reject_table
from pipelines.encoder.stats import EncodeStats
from pipelines.job.history import History
from pipelines.job.lengths import length_counts
from pipelines.job.prepare import Prepared
from pipelines.job.progress import Totals
from pipelines.job.record import Outcome, Record
from pipelines.job.report import examples_of, gathered
from pipelines.output.layout import Output
from pipelines.output.manifest import Manifest, entry_of, make_manifest
from pipelines.output.rejects import rejects_bytes
from pipelines.output.shard_info import ShardInfo
from pipelines.report.run_report import End, RunReport
from pipelines.storage import Storage

MAX_TOKENS = 128
COMMAND = "encorpus embed 's3://corpora/news/*.parquet' -o s3://vectors/news --model model --text-column body"
FINGERPRINT = "9f86d081" * 8
STARTED = 1_790_000_000.0
# How a unit's time is split up.
PHASES = (0.0, 0.01, 0.02, 0.01, 0.01, 0.9, 0.0, 0.0, 0.05)
REASONS = ("text is null", "invalid UTF-8", "not an object: <script>alert(1)</script>")
HOSTILE = '<img src=x onerror="alert(1)">\u202e\x1b[31m\x00&amp;</td></table><script>alert(2)</script>' + "W" * 5000


class Clock:
    """Stands where it is put."""

    def __init__(self, now: float = STARTED) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class RunHistory(History):
    """Also keeps the shards, which a real run leaves in its output."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.shards: dict[str, ShardInfo] = {}

    def add(self, record: Record) -> None:
        """As History.add."""
        super().add(record)
        if record.shard is not None:
            self.shards.setdefault(record.unit, record.shard)


def history_at(clock: Clock, committed: int = 0, planned: int | None = None) -> RunHistory:
    """Of a run that begins now."""
    return RunHistory(Totals(committed, planned, clock), MAX_TOKENS, clock.now, clock)


def record_of(number: int, rows: int = 1000, seconds: float = 2.0, stop: float = STARTED, **changes: Any) -> Record:
    """A unit done at a time of the worker's clock; its lengths are skewed as a corpus's are."""
    spread = np.random.default_rng(number)
    lengths = np.minimum(np.exp(spread.normal(3.2, 0.7, rows)).astype(np.int32) + 3, MAX_TOKENS)
    tokens = int(lengths.sum())
    shard = ShardInfo(
        unit=f"part-000000-{number:06d}",
        file=f"s3://corpora/news/2025/11/part-{number // 50:05d}.parquet",
        version="1",
        start=0,
        stop=rows,
        last=False,
        rows=rows,
        documents=rows,
        rejects=sum(changes.get("reasons", {}).values()),
        tokens=tokens,
        truncated=int((lengths == MAX_TOKENS).sum()),
        fingerprint=FINGERPRINT,
        encorpus_version="0.1.0",
        dimension=1024,
        norm_min=float(5.1 + spread.uniform(-0.6, 0)),
        norm_mean=float(6.4 + spread.uniform(-0.1, 0.1)),
        norm_max=float(8.0 + spread.uniform(0, 0.9)),
        bytes=rows * 1560,
    )
    stats = EncodeStats(rows, rows - rows // 40, tokens - tokens // 40, int(tokens * 1.08), tokens * 4e7, 0.9 * seconds)
    record = Record(
        unit=shard.unit,
        outcome=Outcome.DONE,
        shard=shard,
        stats=stats,
        lengths=length_counts(lengths, MAX_TOKENS),
        worker=f"node-{number % 8}:4242",
        started=stop - seconds,
        seconds=seconds,
        phases=tuple(seconds * part for part in PHASES),
    )
    return replace(record, **changes)


def failed(number: int, stop: float, message: str = "no space left on device", **changes: Any) -> Record:
    """A unit that could not be made."""
    unit = f"part-000001-{number:06d}"
    return Record(unit, Outcome.FAILED, message, worker="node-3:4242", started=stop - 1, seconds=1.0, **changes)


def big_run(folder: Path, units: int = 20_000) -> RunReport:
    """Healthy: eight workers over some hours, with a slow start and a long tail, of an output that was half done."""
    clock = Clock()
    history = history_at(clock, committed=4000, planned=4000 + units)
    history.pool = (8, 8)
    clock.now += 42
    samples = [record_of(number) for number in range(16)]
    for number in range(units):
        rows = 1000 if number < units - 8 else 100 * (units - number)
        seconds = 3.2 + number % 13 / 10 + 60 * (number == units // 3)
        clock.now += 0.5 + 0.2 * (8000 < number < 9500)
        history.add(resized(samples[number % 16], number, rows, seconds, clock.now))
    clock.now += 20
    earlier = [resized(samples[0], number, 1000, 3.0, 0.0).shard for number in range(units, units + 4000)]
    return report_of(folder, history, complete=True, earlier=earlier)


def resized(model: Record, number: int, rows: int, seconds: float, stop: float) -> Record:
    """Another unit like it; the norms drift, and one is far off."""
    assert model.shard is not None
    shard = replace(
        model.shard,
        unit=f"part-000000-{number:06d}",
        rows=rows,
        documents=rows,
        norm_min=model.shard.norm_min - number / 60_000,
        norm_max=model.shard.norm_max + 6 * (number == 12_345),
    )
    return replace(
        model,
        unit=shard.unit,
        shard=shard,
        stats=replace(model.stats, seconds=0.45 * seconds),
        worker=f"node-{number % 8}:4242",
        started=stop - seconds,
        seconds=seconds,
        phases=tuple(seconds * part for part in PHASES),
    )


def troubled_run(folder: Path) -> RunReport:
    """Rejects with hostile texts, retries, failures; it goes on to its end."""
    clock = Clock()
    history = history_at(clock, planned=700)
    history.pool = (2, 8)
    clock.now += 15
    for number in range(600):
        clock.now += 1.1
        reasons = {REASONS[number % 3]: 1 + number % 7} if number % 20 == 0 else {}
        retries = 5 if 200 < number < 240 else 0
        record = record_of(number, rows=200, seconds=6, stop=clock.now, reasons=reasons, retries=retries)
        assert record.shard is not None
        history.add(replace(record, shard=replace(record.shard, file=f"s3://corpora/{HOSTILE[:90]}.jsonl")))
    for number in range(60):
        clock.now += 0.3
        history.add(failed(number, clock.now, message=f"s3://vectors/{HOSTILE}: cannot write: {number}"))
    history.add(replace(failed(60, clock.now, "3 workers died of it; look at its rows"), outcome=Outcome.SET_ASIDE))
    output = prepared_in(folder).output
    for unit in set(history.rejecting_units().values()):
        rows = [
            {"id": HOSTILE[: 40 * n], "file": f"s3://c/{HOSTILE}", "row": n, "reason": reason, "text": HOSTILE[:200]}
            for n, reason in enumerate(REASONS * 3)
        ]
        output.storage.write_atomic(f"{output.rejects_folder}/{unit}.parquet", rejects_bytes(reject_table(rows)))
    return report_of(folder, history, complete=False)


def unread_run(folder: Path) -> RunReport:
    """A streamed file could not be read on, by any of eight workers, and a unit of another failed."""
    clock = Clock()
    history = history_at(clock, planned=None)
    clock.now += 3
    history.add(record_of(0, stop=clock.now))
    file = "s3://corpora/news/2025/11/part-00001.csv.gz"
    for number in range(8):
        reading = failed(number, clock.now, message=f"{file}: truncated gzip stream")
        history.add(replace(reading, unit=f"{file}, read on"))
    history.add(failed(0, clock.now))
    return report_of(folder, history, complete=False)


def stopped_run(folder: Path) -> RunReport:
    """Ended by an error before half of it was done, in an output with a hostile name."""
    clock = Clock()
    history = history_at(clock, planned=None)
    history.pool = (2, 2)
    for number in range(30):
        clock.now += 3
        history.add(record_of(number, rows=100, seconds=4, stop=clock.now))
    report = report_of(folder, history, complete=False)
    hostile = {"output": f"/data/{HOSTILE[:300]}", "command": f"encorpus embed {HOSTILE}", "message": HOSTILE}
    return replace(report, end=End.STOPPED, **hostile)


def tiny_run(folder: Path) -> RunReport:
    """One unit."""
    clock = Clock()
    history = history_at(clock, planned=1)
    clock.now += 9.2
    history.add(record_of(0, rows=12, seconds=0.4, stop=clock.now))
    clock.now += 0.05
    return report_of(folder, history, complete=True)


def instant_run(folder: Path) -> RunReport:
    """All of it at one moment of the clock; every row a reject."""
    clock = Clock()
    history = history_at(clock, planned=1)
    history.add(record_of(0, rows=0, seconds=0.0, stop=clock.now, stats=EncodeStats(), reasons={"text is null": 2}))
    return report_of(folder, history, complete=True)


def pooled_run(folder: Path) -> RunReport:
    """Documents that have one vector each, from many chunks."""
    clock = Clock()
    history = history_at(clock, planned=3)
    for number in range(3):
        clock.now += 2
        record = record_of(number, rows=20, stop=clock.now)
        lengths = length_counts(np.arange(1, 21) * MAX_TOKENS // 2, MAX_TOKENS)
        history.add(replace(record, lengths=lengths))
    report = report_of(folder, history, complete=True)
    return replace(report, spec={**report.spec, "chunk_tokens": MAX_TOKENS, "chunk_overlap": 0, "chunk_pool": "mean"})


def chunked_run(folder: Path) -> RunReport:
    """Five documents of many chunks, each of which has a vector, and five rejects."""
    clock = Clock()
    history = history_at(clock, planned=1)
    clock.now += 5
    record = record_of(0, rows=520, stop=clock.now, reasons={"text is null": 5})
    assert record.shard is not None
    history.add(replace(record, shard=replace(record.shard, documents=5)))
    report = report_of(folder, history, complete=True)
    return replace(report, spec={**report.spec, "chunk_tokens": MAX_TOKENS, "chunk_overlap": 16, "chunk_pool": None})


def resumed_run(folder: Path) -> RunReport:
    """Clean, and the end of an output of which an earlier run made one unit, with 5,000 rejects."""
    clock = Clock()
    history = history_at(clock, committed=1, planned=2)
    clock.now += 5
    history.add(record_of(1, rows=1000, stop=clock.now))
    earlier = record_of(0, rows=1000, reasons={"text is null": 5000}).shard
    return report_of(folder, history, complete=True, earlier=[earlier])


def prepared_in(folder: Path, storage: Storage | None = None) -> Prepared:
    """As much of a prepared job as a report needs."""
    spec = {
        "model": "https://tfhub.dev/google/electra_large/2",
        "preprocessor": None,
        "pooling": "mean",
        "layers": [],
        "normalize": False,
        "max_tokens": MAX_TOKENS,
        "dtype": "float16",
        "precision": "float32",
    }
    prepared = SimpleNamespace(
        output=Output(str(folder), storage or Storage()),
        resolved=SimpleNamespace(fingerprint=FINGERPRINT, describe=lambda: spec),
        job=SimpleNamespace(storage=Storage({"key": "secret"})),
    )
    return cast(Prepared, prepared)


def report_of(folder: Path, history: RunHistory, complete: bool, earlier: Iterable[ShardInfo | None] = ()) -> RunReport:
    """The report of a history, as `embed` gathers it. earlier: the shards that were there before."""
    manifest = manifest_of(history, earlier) if complete else None
    end = End.COMPLETE if complete else End.UNITS_FAILED
    prepared = prepared_in(folder)
    report = gathered(prepared, history, COMMAND, manifest, end)
    return replace(report, examples=examples_of(prepared.output, history.rejecting_units()))


def manifest_of(history: RunHistory, earlier: Iterable[ShardInfo | None] = ()) -> Manifest:
    """Of the shards that the run made, and those that were there before."""
    shards = [*filter(None, earlier), *history.shards.values()]
    return make_manifest("0" * 64, FINGERPRINT, map(entry_of, shards))
