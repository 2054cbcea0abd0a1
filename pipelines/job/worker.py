"""The worker: holds preprocessor and encoder, and takes each unit from its rows to its committed shard.

Ray calls it with tasks, two at a time in two threads. Encoding is for one thread at a time, so while one unit is
encoded the other is read and tokenised, or written. A worker never raises for a unit: it returns a record.
"""

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.corpus.plan import Columns, CorpusFile, Plan, Unit, plan_from_bytes
from pipelines.corpus.readers import SliceReader, stream_slices
from pipelines.corpus.rows import UnitRows
from pipelines.encoder.spec import EncoderSpec, resolve_spec
from pipelines.errors import EncorpusError, InputChangedError, StorageFullError, UsageError, first_line
from pipelines.job.attempts import MOST_DEATHS, Attempts
from pipelines.job.commit import commit_unit
from pipelines.job.embedded import embedded_rows
from pipelines.job.prepare import plan_digest
from pipelines.job.record import Outcome, Record, record_table
from pipelines.job.tasks import Task, tasks_of
from pipelines.job.turns import Turns
from pipelines.output.layout import Output
from pipelines.output.manifest import foreign
from pipelines.output.shard import read_info
from pipelines.storage import Storage

if TYPE_CHECKING:
    from pipelines.encoder.text_encoder import TextEncoder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkOrder:
    """All that a worker needs to know: small, and the same for every worker of a job.

    plan: the digest of plan.parquet. threads: CPU threads of one worker, None where it has a GPU. on_bad_row: reject
    or fail.
    """

    encoder: EncoderSpec
    fingerprint: str
    plan: str
    columns: Columns
    output: str
    storage: Storage
    on_bad_row: str
    threads: int | None


class EmbedWorker:
    """Loads once and serves tasks until the end."""

    def __init__(self, order: WorkOrder, attempts: Attempts) -> None:
        self._order = order
        self._attempts = attempts
        self._turns = Turns()
        self._encoding = threading.Lock()
        self._output = Output(order.output, order.storage)
        self._broken: Record | None = None
        try:
            self._plan = self._load_plan()
            self._encoder = _load_encoder(order)
        except Exception as error:
            outcome = Outcome.REFUSED if isinstance(error, UsageError) else Outcome.FATAL
            self._broken = Record("", outcome, _told(error))

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        """Does the table's tasks; gives one record a unit, as it is done."""
        if self._broken:
            yield record_table(self._broken)
            return
        for task in tasks_of(table):
            yield from map(record_table, self._records(task))

    def _load_plan(self) -> Plan:
        data = self._order.storage.read_bytes(self._output.plan_uri)
        if plan_digest(data) != self._order.plan:
            raise EncorpusError(f"{self._output.plan_uri}: another run has changed it; run the same command again")
        return plan_from_bytes(data)

    def _records(self, task: Task) -> Iterator[Record]:
        """Does a task. When a worker dies, Ray repeats its tasks from their beginning."""
        file = self._plan.files[task.file]
        name = f"task {task.stripe} {task.slices[:1]} of {file.uri}"
        repeated = self._attempts.deaths(name) > 0
        self._attempts.begin(name)
        yield from self._stream(file, task, repeated) if file.streamed else self._run(file, task, repeated)
        self._attempts.end(name)

    def _run(self, file: CorpusFile, task: Task, repeated: bool) -> Iterator[Record]:
        """Units of a file that is cut, one after the other."""
        with SliceReader(self._plan, file, self._order.columns, self._order.storage) as reader:
            for number in task.slices:
                unit = Unit(file.number, number)
                yield self._attempt(
                    unit,
                    lambda unit=unit: (repeated and self._committed(unit)) or self._embed(reader.read(unit.slice)),
                )

    def _stream(self, file: CorpusFile, task: Task, repeated: bool) -> Iterator[Record]:
        """One stripe of a streamed file: each slice as it comes, until the file's end or a failure to read on."""
        done = frozenset(task.done)
        slices = stream_slices(
            self._plan, file, self._order.columns, self._order.storage, task.stripe, task.stripes, done
        )
        reading = f"{file.uri} (stripe {task.stripe + 1} of {task.stripes})"
        while True:
            if self._attempts.deaths(reading) >= MOST_DEATHS:
                yield _set_aside(reading)
                return
            try:
                with self._counted_turn(reading):
                    rows = next(slices, None)
            except Exception as error:
                yield _failure(reading, error)
                return
            if rows is None:
                return
            yield self._attempt(
                rows.unit, lambda rows=rows: (repeated and self._committed(rows.unit)) or self._embed(rows)
            )

    def _attempt(self, unit: Unit, work: Callable[[], Record]) -> Record:
        """Does a unit's work in its turn, unless too many workers died of it."""
        if self._attempts.deaths(unit.name) >= MOST_DEATHS:
            return _set_aside(unit.name)
        try:
            with self._counted_turn(unit.name):
                return work()
        except Exception as error:
            return _failure(unit.name, error)

    @contextmanager
    def _counted_turn(self, name: str) -> Iterator[None]:
        """The time of work that might kill the worker; what was in one that died is alone from then on."""
        with self._turns.alone() if self._attempts.deaths(name) else self._turns.shared():
            self._attempts.begin(name)
            try:
                yield
            finally:
                self._attempts.end(name)

    def _committed(self, unit: Unit) -> Record | None:
        """The record of a unit that is there already, from before a worker's death."""
        uri = self._output.shard_uri(unit)
        if not self._order.storage.exists(uri):
            return None
        info = read_info(self._order.storage, uri)
        if foreign(info, unit, self._plan.files[unit.file], self._order.fingerprint):
            return None
        return Record(unit.name, Outcome.DONE, shard=info)

    def _embed(self, rows: UnitRows) -> Record:
        """Tokenise, encode, write. The commit is the last thing done."""
        if rows.rejects.num_rows and self._order.on_bad_row == "fail":
            return Record(rows.unit.name, Outcome.FATAL, _first_reject(rows))
        tokens = self._encoder.tokenize(rows.table["text"].to_pylist())
        with self._encoding:
            encoded = self._encoder.encode_tokens(tokens)
        file = self._plan.files[rows.unit.file]
        embedded = embedded_rows(file, rows, tokens, encoded)
        if embedded.rows.rejects.num_rows and self._order.on_bad_row == "fail":
            return Record(rows.unit.name, Outcome.FATAL, _first_reject(embedded.rows))
        shard = commit_unit(self._output, file, self._plan.schema.names, embedded, self._encoder)
        return Record(
            unit=rows.unit.name,
            outcome=Outcome.DONE,
            shard=shard,
            stats=encoded.stats,
            reasons=dict(Counter(embedded.rows.rejects["reason"].to_pylist())),
        )


def _load_encoder(order: WorkOrder) -> "TextEncoder":
    """Loads the models on this node, and makes sure that they are the ones the job was planned with."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    from pipelines.encoder.text_encoder import TextEncoder

    resolved = resolve_spec(order.encoder, order.storage.options)
    if resolved.fingerprint != order.fingerprint:
        raise EncorpusError(
            f"model {order.encoder.model}: its content on this node differs from the driver's; copy it again"
        )
    return TextEncoder.load_resolved(resolved, order.threads)


def _first_reject(rows: UnitRows) -> str:
    reject = rows.rejects.slice(0, 1).to_pylist()[0]
    place = "" if reject["row"] is None else f", row {reject['row']}"
    return f"{reject['file']}{place}: {reject['reason']}; mend it, or leave out --on-bad-row fail"


def _set_aside(unit: str) -> Record:
    return Record(
        unit, Outcome.SET_ASIDE, f"{MOST_DEATHS} workers died of it; look at its rows or give workers more memory"
    )


def _failure(unit: str, error: Exception) -> Record:
    """What a failed unit says of itself."""
    outcome = Outcome.FATAL if isinstance(error, InputChangedError | StorageFullError) else Outcome.FAILED
    return Record(unit, outcome, _told(error))


def _told(error: Exception) -> str:
    """One line for the user; the trace of an error that is none of ours goes to the worker's log."""
    if isinstance(error, EncorpusError):
        return str(error)
    log.error("a worker failed", exc_info=error)
    return f"{type(error).__name__}: {first_line(error)}"
