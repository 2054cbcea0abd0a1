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
from pipelines.job.ledger import LATE_SECONDS, MOST_DEATHS, Begun, Ledger
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
            for parcel in parcels(map(self._with_retries, self._records(task))):
                yield record_table(parcel)
                self._ledger.delivered([record.unit for record in parcel])

    def _with_retries(self, record: Record | None) -> Record | None:
        return record and replace(record, retries=self._order.storage.retries.take())

    def _load_plan(self) -> Plan:
        data = self._order.storage.read_bytes(self._output.plan_uri)
        if plan_digest(data) != self._order.plan:
            raise EncorpusError(f"{self._output.plan_uri}: another run has changed it; run the same command again")
        return plan_from_bytes(data)

    def _records(self, task: Task) -> Iterator[Record | None]:
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

    def _run(self, file: CorpusFile, slices: Sequence[int], late_copy: bool = False) -> Iterator[Record]:
        """Units of a file that is cut, one after the other. late_copy: though another worker has them too."""
        with self._reader(file) as reader:
            for number in slices:
                unit = Unit(file.number, number)
                yield self._attempt(unit, partial(self._read_and_embed, reader, unit), late_copy)

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
                rows = self._in_turn(f"{reading}, slice {number}", lambda begun: next(slices, None))
            except Exception as error:
                yield _failure(reading, error)
                break
            if rows is None:
                break
            yield self._attempt(rows.unit, partial(self._embed, rows))
            del rows  # or two slices would be in memory while the next is read
        yield Record(task.name, Outcome.ENDED)

    def _late_units(self) -> Iterator[Record | None]:
        """What other workers are late with, as long as there may be any; None while there is not."""
        idle_since = time.monotonic()
        while self._ledger.unfinished():
            copy = self._ledger.late(self._name, time.monotonic() - idle_since)
            if copy is None:
                yield None
                time.sleep(POLL_SECONDS)
                continue
            file = self._plan.files[copy.unit.file]
            for record in self._timed(self._run(file, (copy.unit.slice,), late_copy=True)):
                # Where a copy fails, the unit's own worker may not.
                if record.outcome is Outcome.DONE or copy.last:
                    yield record
            idle_since = time.monotonic()

    def _attempt(self, unit: Unit, work: Callable[[bool], Record], late_copy: bool = False) -> Record:
        """Does a unit's work in its turn, unless it is done; a failure becomes its record.

        work: told whether another worker has the unit too.
        """

        def unless_done(begun: Begun) -> Record:
            return (begun.done and self._committed(unit)) or work(begun.shared or late_copy)

        try:
            return self._in_turn(f"{unit.name} again" if late_copy else unit.name, unless_done)
        except Exception as error:
            return _failure(unit.name, error)

    def _in_turn(self, name: str, work: Callable[[Begun], Result]) -> Result:
        """Does what might kill the worker. What was in a worker that died is done alone.

        Raises DeadlyError for what too many workers died of.
        """
        with self._turns.shared():
            begun = self._ledger.begin(name, self._name)
            if not begun.deaths:
                return self._ending(name, partial(work, begun))
        if begun.deaths >= MOST_DEATHS:
            raise DeadlyError(f"{MOST_DEATHS} workers died of it; look at its rows or give workers more memory")
        with self._turns.alone():
            return self._ending(name, partial(work, self._ledger.begin(name, self._name, alone=True)))

    def _ending(self, name: str, work: Callable[[], Result]) -> Result:
        done = False
        try:
            result = work()
            done = True
        finally:
            self._ledger.end(name, done)
        return result

    def _reader(self, file: CorpusFile) -> SliceReader:
        return SliceReader(self._plan, file, self._order.columns, self._order.storage)

    def _read_and_embed(self, reader: SliceReader, unit: Unit, shared: bool) -> Record:
        started = time.monotonic()
        rows = reader.read(unit.slice)
        return self._embed(rows, shared, started)

    def _committed(self, unit: Unit) -> Record | None:
        """The record of a unit that another attempt of this run has committed, if it is there."""
        uri = self._output.shard_uri(unit)
        if not self._order.storage.exists(uri):
            return None
        info = read_info(self._order.storage, uri)
        if foreign(info, unit, self._plan.files[unit.file], self._order.fingerprint):
            return None
        return Record(unit.name, Outcome.DONE, shard=info)

    def _committed_elsewhere(self, unit: Unit) -> Record | None:
        """What another worker that has the unit too committed, or is about to; None where this one is to do it."""
        me = f"{self._name}:{threading.get_ident()}"
        while not self._ledger.claim(unit.name, me):
            if found := self._committed(unit):
                return found
            time.sleep(POLL_SECONDS)
        return self._committed(unit)

    def _embed(self, rows: UnitRows, shared: bool, started: float | None = None) -> Record:
        """Tokenise, encode, write. The commit is the last thing done.

        shared: whether another worker has the unit too. It may have been given one since, if this one started long ago.
        """
        if rows.rejects.num_rows and self._order.on_bad_row == "fail":
            return Record(rows.unit.name, Outcome.FATAL, _first_reject(rows))
        tokens = self._encoder.tokenize_documents(text.as_py() for text in rows.table["text"])
        with self._encoding:
            encoded = self._encoder.encode_tokens(tokens)
        file = self._plan.files[rows.unit.file]
        embedded = embedded_rows(file, rows, tokens, encoded)
        if embedded.rows.rejects.num_rows and self._order.on_bad_row == "fail":
            return Record(rows.unit.name, Outcome.FATAL, _first_reject(embedded.rows))
        again = rows.unit in self._order.again
        overdue = started is not None and time.monotonic() - started > LATE_SECONDS
        if (shared or overdue) and not again and (found := self._committed_elsewhere(rows.unit)):
            return found
        shard = commit_unit(self._output, self._plan, self._order.columns, embedded, self._encoder, again)
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
