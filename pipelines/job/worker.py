"""The worker: holds preprocessor and encoder, and takes each unit from its rows to its committed shard.

Ray calls it with tasks, two at a time in two threads. Encoding is for one thread at a time, so while one unit is
encoded the other is read and tokenised, or written. A worker never raises for a unit: it returns a record.
"""

import itertools
import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pyarrow as pa

from pipelines.corpus.plan import CorpusFile, Plan, Unit, plan_digest, plan_from_bytes
from pipelines.corpus.readers import SliceReader, stream_slices
from pipelines.corpus.rows import UnitRows
from pipelines.errors import EncorpusError, InputChangedError, StorageFullError, UsageError, first_line
from pipelines.job.commit import commit_unit
from pipelines.job.embedded import embedded_rows
from pipelines.job.ledger import ENDED, LATE_SECONDS, MOST_DEATHS, Late, Ledger
from pipelines.job.lengths import length_counts
from pipelines.job.record import Outcome, Record, parcels, record_table
from pipelines.job.tasks import Task, tasks_of
from pipelines.job.turns import Turns
from pipelines.job.work_order import WorkOrder
from pipelines.output.layout import Output
from pipelines.output.manifest import foreign
from pipelines.output.shard import read_info

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# How often a worker without work asks whether a unit elsewhere is late.
POLL_SECONDS = 1.0


class DeadlyError(EncorpusError):
    """Too many workers died of it."""


class EmbedWorker:
    """Loads once and serves tasks until the end."""

    def __init__(self, order: WorkOrder, ledger: Ledger) -> None:
        self._order = order
        self._ledger = ledger
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._turns = Turns()
        self._encoding = threading.Lock()
        self._output = Output(order.output, order.storage)
        self._broken: Record | None = None
        try:
            self._plan = self._load_plan()
            self._encoder = order.load(order)
        except Exception as error:
            outcome = Outcome.REFUSED if isinstance(error, UsageError) else Outcome.FATAL
            self._broken = Record("", outcome, _told(error))

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        """Does the table's tasks; gives one record a unit, as it is done."""
        if self._broken:
            yield record_table([self._broken])
            return
        for task in tasks_of(table):
            yield from map(record_table, parcels(map(self._with_retries, self._records(task))))

    def _with_retries(self, record: Record) -> Record:
        return replace(record, retries=self._order.storage.retries.take())

    def _load_plan(self) -> Plan:
        data = self._order.storage.read_bytes(self._output.plan_uri)
        if plan_digest(data) != self._order.plan:
            raise EncorpusError(f"{self._output.plan_uri}: another run has changed it; run the same command again")
        return plan_from_bytes(data)

    def _records(self, task: Task) -> Iterator[Record]:
        """Does a task. When a worker dies, Ray repeats its tasks from their beginning."""
        if task.file is None:
            return self._late_units()
        file = self._plan.files[task.file]
        return self._timed(self._stream(file, task) if file.streamed else self._run(file, task.slices))

    def _timed(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records with this worker's name, and when and how long it worked on each."""
        while True:
            started, clock = time.time(), time.monotonic()
            record = next(records, None)
            if record is None:
                return
            yield replace(record, worker=self._name, started=started, seconds=time.monotonic() - clock)

    def _run(self, file: CorpusFile, slices: Sequence[int], again: bool = False) -> Iterator[Record]:
        """Units of a file that is cut, one after the other. again: though another worker has begun them."""
        with self._reader(file) as reader:
            for number in slices:
                unit = Unit(file.number, number)
                yield self._attempt(unit, partial(self._read_and_embed, reader, unit), again)

    def _stream(self, file: CorpusFile, task: Task) -> Iterator[Record]:
        """One stripe of a streamed file: each slice as it comes, until the file's end or a failure to read on."""
        slices = stream_slices(
            self._plan,
            file,
            self._order.columns,
            self._order.storage,
            task.stripe,
            task.stripes,
            frozenset(task.done),
        )
        for number in itertools.count():
            reading = f"{file.uri} (stripe {task.stripe + 1} of {task.stripes})"
            try:
                rows = self._in_turn(f"{reading}, slice {number}", lambda ended: next(slices, None))
            except Exception as error:
                yield _failure(reading, error)
                return
            if rows is None:
                return
            yield self._attempt(rows.unit, partial(self._embed, rows))
            del rows  # or two slices would be in memory while the next is read

    def _late_units(self) -> Iterator[Record]:
        """What other workers are late with, as long as there may be any."""
        idle_since = time.monotonic()
        while (unit := self._ledger.late(self._name, time.monotonic() - idle_since)) is not Late.NEVER:
            if unit is Late.NOT_YET:
                time.sleep(POLL_SECONDS)
                continue
            yield from self._timed(self._run(self._plan.files[unit.file], (unit.slice,), again=True))
            self._ledger.end(unit.name)

    def _attempt(self, unit: Unit, work: Callable[[], Record], again: bool = False) -> Record:
        """Does a unit's work in its turn, unless it is done; a failure becomes its record."""
        name = f"{unit.name} again" if again else unit.name
        try:
            return self._in_turn(name, lambda ended: ((ended or again) and self._committed(unit)) or work())
        except Exception as error:
            return _failure(unit.name, error)

    def _in_turn(self, name: str, work: Callable[[bool], Result]) -> Result:
        """Does what might kill the worker, told whether it has come to an end before.

        What was in a worker that died is done alone. Raises DeadlyError for what too many workers died of.
        """
        with self._turns.shared():
            deaths = self._ledger.begin(name, self._name)
            if deaths <= 0:
                return self._ending(name, partial(work, deaths == ENDED))
        if deaths >= MOST_DEATHS:
            raise DeadlyError(f"{MOST_DEATHS} workers died of it; look at its rows or give workers more memory")
        with self._turns.alone():
            self._ledger.begin(name, self._name, alone=True)
            return self._ending(name, partial(work, False))

    def _ending(self, name: str, work: Callable[[], Result]) -> Result:
        try:
            return work()
        finally:
            self._ledger.end(name)

    def _reader(self, file: CorpusFile) -> SliceReader:
        return SliceReader(self._plan, file, self._order.columns, self._order.storage)

    def _read_and_embed(self, reader: SliceReader, unit: Unit) -> Record:
        started = time.monotonic()
        rows = reader.read(unit.slice)
        # A reader that was stuck may come back long after another worker has done the unit.
        overdue = time.monotonic() - started > LATE_SECONDS
        return (overdue and self._committed(unit)) or self._embed(rows)

    def _committed(self, unit: Unit) -> Record | None:
        """The record of a unit that is there already, from before a worker's death."""
        if unit in self._order.again:
            return None  # The shard that is there may be the one to be replaced.
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
        tokens = self._encoder.tokenize(text.as_py() for text in rows.table["text"])
        with self._encoding:
            encoded = self._encoder.encode_tokens(tokens)
        file = self._plan.files[rows.unit.file]
        embedded = embedded_rows(file, rows, tokens, encoded)
        if embedded.rows.rejects.num_rows and self._order.on_bad_row == "fail":
            return Record(rows.unit.name, Outcome.FATAL, _first_reject(embedded.rows))
        again = rows.unit in self._order.again
        shard = commit_unit(self._output, file, self._plan.schema.names, embedded, self._encoder, again)
        return Record(
            unit=rows.unit.name,
            outcome=Outcome.DONE,
            shard=shard,
            stats=encoded.stats,
            reasons=dict(Counter(embedded.rows.rejects["reason"].to_pylist())),
            lengths=length_counts(embedded.tokens, self._encoder.resolved.max_tokens),
        )


def _first_reject(rows: UnitRows) -> str:
    reject = rows.rejects.slice(0, 1).to_pylist()[0]
    place = "" if reject["row"] is None else f", row {reject['row']}"
    return f"{reject['file']}{place}: {reject['reason']}; mend it, or leave out --on-bad-row fail"


def _failure(unit: str, error: Exception) -> Record:
    """What a failed unit says of itself."""
    outcome = Outcome.SET_ASIDE if isinstance(error, DeadlyError) else Outcome.FAILED
    outcome = Outcome.FATAL if isinstance(error, InputChangedError | StorageFullError) else outcome
    return Record(unit, outcome, _told(error))


def _told(error: Exception) -> str:
    """One line for the user; the trace of an error that is none of ours goes to the worker's log."""
    if isinstance(error, EncorpusError):
        return str(error)
    log.error("a worker failed", exc_info=error)
    return f"{type(error).__name__}: {first_line(error)}"
