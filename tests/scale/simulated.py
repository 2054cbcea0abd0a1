"""What is simulated of a job: its model, an encoder that sleeps, and workers of which one process holds many.

All else is the product's own: plan, tasks, ledger, pool, records, totals, manifest, report.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan import Columns, Unit
from pipelines.corpus.rows import REJECT_SCHEMA, UnitRows, row_schema
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.stats import EncodeStats
from pipelines.job.ledger import Copy
from pipelines.job.lengths import length_counts
from pipelines.job.phases import PhaseWatch, StartPhase
from pipelines.job.record import Outcome, Record
from pipelines.job.tasks import tasks_of
from pipelines.job.work_order import UnitEncoder, WorkOrder
from pipelines.job.worker import EmbedWorker
from pipelines.output.shard import shard_bytes, shard_table
from pipelines.output.shard_info import ShardInfo
from pipelines.version import encorpus_version

ROW_TOKENS, DIMENSION = 20, 384
COLUMNS = Columns("text")


def write_model(folder: Path) -> EncoderSpec:
    """A folder that resolves like a SavedModel; nobody loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").touch()
    return EncoderSpec(str(folder), pooling="mean", max_tokens=128)


def write_corpus(folder: Path, units: int, unit_rows: int, file_units: int) -> Path:
    """Parquet files of `file_units` units each."""
    folder.mkdir(parents=True)
    for number in range(-(-units // file_units)):
        rows = unit_rows * min(file_units, units - number * file_units)
        pq.write_table(pa.table({"text": [f"text {row}" for row in range(rows)]}), folder / f"{number:06}.parquet")
    return folder


class SleepingEncoder:
    """Takes a fixed time for each token, and no processor; all vectors are the same."""

    def __init__(self, order: WorkOrder, token_seconds: float) -> None:
        self.dimension = DIMENSION
        self.fingerprint = order.fingerprint
        self.resolved = SimpleNamespace(spec=order.encoder, max_tokens=order.encoder.max_tokens)
        self._token_seconds = token_seconds

    def tokenize_documents(self, texts: Iterable[str]) -> SimpleNamespace:
        """Twenty tokens a text."""
        rows = sum(1 for _ in texts)
        lengths = np.full(rows, ROW_TOKENS, np.int32)
        return SimpleNamespace(lengths=lengths, truncated=np.zeros(rows, bool), row=np.arange(rows))

    def encode_tokens(self, tokens: Any) -> SimpleNamespace:
        """Vectors float32 [n, DIMENSION], late."""
        rows, count = len(tokens.row), int(tokens.lengths.sum())
        started = time.perf_counter()
        time.sleep(count * self._token_seconds)
        seconds = time.perf_counter() - started
        stats = EncodeStats(texts=rows, distinct=rows, tokens=count, padded_tokens=count, seconds=seconds)
        return SimpleNamespace(vectors=np.full((rows, DIMENSION), DIMENSION**-0.5, np.float32), stats=stats)


def sleeping(token_seconds: float) -> Callable[[WorkOrder, Callable[[StartPhase], None]], UnitEncoder]:
    """Loads the encoder that sleeps, for WorkOrder.load."""
    return lambda order, enter: cast(UnitEncoder, SleepingEncoder(order, token_seconds))


class ManyWorkers(EmbedWorker):
    """One process that stands for many workers: reads nothing, encodes for all its calls at a time, and commits shards
    cut from a pattern. What it says to the ledger, and the shards' footers, are as a worker's."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._patterns: dict[tuple[int, int, int, bool], tuple[bytes, ShardInfo]] = {}

    def __call__(self, table: pa.Table) -> pa.Table:
        """As PoolWorker, but of a node that stays."""
        for task in tasks_of(table):
            self.do(task)
        return table

    def _attempt(self, unit: Unit, read: Callable[[], UnitRows], watch: PhaseWatch, copy: Copy | None = None) -> bool:
        return super()._attempt(unit, lambda: self._made_up(unit), watch, copy)

    def _made_up(self, unit: Unit) -> UnitRows:
        bounds = self._plan.files[unit.file].bounds or (0, 0)
        start, stop = bounds[unit.slice], bounds[unit.slice + 1]
        rows = row_schema(self._plan).empty_table()
        return UnitRows(unit, rows, REJECT_SCHEMA.empty_table(), start, stop, unit.slice == len(bounds) - 2)

    def _embed(self, rows: UnitRows, watch: PhaseWatch) -> Record | None:
        tokens = self._encoder.tokenize_documents("" for _ in range(rows.start, rows.stop))
        encoded = self._encoder.encode_tokens(tokens)
        if not self._may_commit(rows.unit):
            return None
        self._plan = self._load_plan()
        data, shard = self._cut_from_pattern(rows)
        self._output.storage.write_atomic(self._output.shard_uri(rows.unit), data, lasting=False)
        lengths = length_counts(tokens.lengths, self._encoder.resolved.max_tokens)
        return Record(rows.unit.name, Outcome.DONE, shard=shard, stats=encoded.stats, lengths=lengths)

    def _cut_from_pattern(self, rows: UnitRows) -> tuple[bytes, ShardInfo]:
        """A shard whose footer is right, made by Arrow once for all units of a file whose numbers are as long.

        Its checksum is the pattern's.
        """
        like = rows.unit.file, len(str(rows.start)), len(str(rows.stop)), rows.last
        if like not in self._patterns:
            self._patterns[like] = self._pattern(rows)
        data, info = self._patterns[like]
        cut = replace(info, unit=rows.unit.name, start=rows.start, stop=rows.stop)
        for name in ("unit", "start", "stop"):
            data = data.replace(_in_footer(name, getattr(info, name)), _in_footer(name, getattr(cut, name)))
        return data, cut

    def _pattern(self, rows: UnitRows) -> tuple[bytes, ShardInfo]:
        count = rows.stop - rows.start
        file = self._plan.files[rows.unit.file]
        ids = pa.table({"id": [f"{file.number}:{row}" for row in range(count)]})
        tokens, vectors = np.full(count, ROW_TOKENS, np.int32), np.full((count, DIMENSION), DIMENSION**-0.5, np.float32)
        table = shard_table(ids, tokens, np.zeros(count, bool), vectors, DIMENSION, "float32")
        info = ShardInfo(
            unit=rows.unit.name,
            file=file.uri,
            version=file.version,
            start=rows.start,
            stop=rows.stop,
            last=rows.last,
            rows=count,
            documents=count,
            rejects=0,
            tokens=int(tokens.sum()),
            truncated=0,
            fingerprint=self._order.fingerprint,
            encorpus_version=encorpus_version(),
            dimension=DIMENSION,
        )
        data, info = shard_bytes(table, info)
        return bytes(data), info


def _in_footer(name: str, value: object) -> bytes:
    """A footer's key and value as Thrift's compact protocol writes them."""
    return f"encorpus.{name}".encode() + b"\x18" + bytes([len(str(value))]) + str(value).encode()


class Nothing:
    """What Ray Data maps to know its own cost."""

    def __call__(self, table: pa.Table) -> pa.Table:
        """The table itself."""
        return table
