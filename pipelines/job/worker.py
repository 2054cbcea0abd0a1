"""The worker: holds preprocessor and encoder, and takes each unit from its rows to its committed shard.

Ray calls it with tasks, some at a time in as many threads. Encoding is for one thread at a time, so while one unit is
encoded the other is read and tokenised, or written. A worker never raises for a unit: it tells the ledger what came of
it.
"""

import itertools
import logging
import os
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from pipelines.corpus.plan import CorpusFile, Plan, Unit, plan_digest, plan_from_bytes
from pipelines.corpus.readers import SliceReader, stream_slices
from pipelines.corpus.rows import UnitRows
from pipelines.errors import (
    EncorpusError,
    InputChangedError,
    NodeUnfitError,
    StorageError,
    StorageFullError,
    UsageError,
    first_line,
)
from pipelines.job.commit import commit_unit
from pipelines.job.embedded import embedded_rows
from pipelines.job.ledger import Begun, Claim, Copy, Holder, Ledger
from pipelines.job.lengths import length_counts
from pipelines.job.phases import Phase, PhaseWatch, Spent, StartPhase, steady_clock
from pipelines.job.record import Outcome, Record
from pipelines.job.tasks import Task
from pipelines.job.turns import Turns
from pipelines.job.work_order import WorkOrder
from pipelines.local_files import FileEntry
from pipelines.output.layout import Output

log = logging.getLogger(__name__)

# How often a worker without work asks whether a unit elsewhere is late.
POLL_SECONDS = 1.0


class DeadlyError(EncorpusError):
    """Too many workers died of it."""


class OtherPlanError(EncorpusError):
    """The output is another run's by now."""


class EmbedWorker:
    """Loads once and serves tasks until the end."""

    def __init__(self, order: WorkOrder, ledger: Ledger, start: PhaseWatch | None = None) -> None:
        """start: watches the start of a process that is made for this worker."""
        self._order = order
        self._ledger = ledger
        self._name, self._life = _name_in_ledger(), _process()
        self._clock = steady_clock()
        self._turns = Turns()
        self._encoding = threading.Lock()
        self._call = _Call(itertools.count(1))
        self._output = Output(order.output, order.storage)
        self._broken: Record | None = None
        # Until the first record takes it along.
        self._loading: deque[Spent] = deque()
        start = start or PhaseWatch(StartPhase, self._clock)
        start.enter(StartPhase.PLAN)
        ledger.arrive(self._name, self._life, _node())
        try:
            self._plan_seen: FileEntry | None = None
            self._plan = self._load_plan()
            self._encoder = order.load(order, start.enter)
            self._loading.append(start.take())
        except (NodeUnfitError, StorageError) as error:  # the driver read the plan, and has the model
            told = f"node {socket.gethostname()}: {error}"
            ledger.unfit(_node(), Record(_node(), Outcome.UNFIT, told))
            self._broken = Record(_node(), Outcome.STUCK, told)
            if not _restarted():
                raise  # and a worker takes its place on another node
        except UsageError as error:  # of the job, and so of every node
            self._broken = Record("", Outcome.REFUSED, str(error))
        except Exception as error:
            self._broken = Record("", Outcome.FATAL, f"node {socket.gethostname()}: {_told(error)}")

    def do(
        self, task: Task, call: str | None = None, over: Callable[[], bool] = lambda: False, idle: float = 0.0
    ) -> bool:
        """Does a task, and tells the ledger what comes of it. False if something of it is left, its time being over, or
        nobody waiting for the call any more.

        call: what whoever sent it calls this. over: whether no other unit is to be begun, but of a streamed file,
        which would have to be read again from its beginning; a run's first unit is. idle: seconds for which its sender
        has had nothing but late units to send. When a worker dies, its tasks are repeated from their beginning.
        """
        self._call.name = call or self._call.name
        if self._broken:
            if task.file is not None or self._broken.outcome is not Outcome.STUCK:
                self._ledger.tell(self._broken)
            return True
        if task.file is None:
            return self._do_late_units(over, idle)
        file = self._plan.files[task.file]
        if not file.streamed:
            return self._run(file, task.slices, over)
        return self._stream(file, task)

    @property
    def _holder(self) -> Holder:
        return Holder(self._name, self._call.name, self._life)

    def _load_plan(self) -> Plan:
        """The plan of this job, which is read again when its file has changed.

        Raises OtherPlanError when it is another one by now.
        """
        seen = self._order.storage.entry(self._output.plan_uri)
        if seen is not None and seen == self._plan_seen:
            return self._plan
        data = self._order.storage.read_bytes(self._output.plan_uri)
        if plan_digest(data) != self._order.plan:
            raise OtherPlanError(f"{self._output.plan_uri}: another run has changed it; run the same command again")
        self._plan_seen = seen
        return plan_from_bytes(data)

    def _run(self, file: CorpusFile, slices: Sequence[int], over: Callable[[], bool], copy: Copy | None = None) -> bool:
        """Units of a file that is cut, one after the other. False if its time is up before the last, or the call is
        given up."""
        watch = PhaseWatch(Phase, self._clock)
        with SliceReader(self._plan, file, self._order.columns, self._order.storage) as reader:
            for place, number in enumerate(slices):
                if place and over():
                    return False
                if not self._attempt(Unit(file.number, number), partial(reader.read, number), watch, copy):
                    return False
        return True

    def _stream(self, file: CorpusFile, task: Task) -> bool:
        """One stripe of a streamed file: each slice as it comes, until the file's end or a failure to read on. False if
        the call is given up before."""
        slices = stream_slices(
            self._plan,
            file,
            self._order.columns,
            self._order.storage,
            task.stripe,
            task.stripes,
            frozenset(task.done),
        )
        watch = PhaseWatch(Phase, self._clock)
        for number in itertools.count():
            name = f"{file.uri} (stripe {task.stripe + 1} of {task.stripes}), slice {number}"
            failure: Record | None = None
            try:
                watch.enter(Phase.ASK)
                with self._turn(name) as begun:
                    if begun.unwanted:
                        return False
                    watch.enter(Phase.READ)
                    read = list(itertools.islice(slices, 1))
            except Exception as error:
                # The same for all stripes, which meet the same damage.
                failure, read = self._signed(_failure(f"{file.uri}, read on", error), watch.take()), []
            watch.enter(Phase.ASK)
            self._ledger.end(name, self._holder, failure)
            if not read:
                break
            # Popped, or two slices would be in memory while the next is read.
            if not self._attempt(read[0].unit, read.pop, watch):
                return False
        self._ledger.end(task.name, self._holder, Record(task.name, Outcome.ENDED))
        return True

    def _do_late_units(self, over: Callable[[], bool], idle: float) -> bool:
        """What other workers are late with, as long as there may be any. False if its time is up before, or the call is
        given up with one in hand."""
        idle_since = time.monotonic() - idle
        while self._ledger.unfinished():
            if over():
                return False
            copy = self._ledger.late(self._holder, time.monotonic() - idle_since)
            if copy is None:
                time.sleep(POLL_SECONDS)
                continue
            if not self._run(self._plan.files[copy.unit.file], (copy.unit.slice,), over, copy):
                return False
        return True

    def _attempt(self, unit: Unit, read: Callable[[], UnitRows], watch: PhaseWatch, copy: Copy | None = None) -> bool:
        """Takes a unit from its rows to its shard, unless it is done, and tells the ledger what came of it, a failure
        too. False if it is not begun, the call being given up."""
        try:
            watch.enter(Phase.ASK)
            with self._turn(unit.name) as begun:
                if begun.unwanted:
                    return False
                watch.enter(Phase.READ)
                record = None if begun.done else self._embed(read(), watch)
        except Exception as error:
            record = _failure(unit.name, error)
        if record and record.outcome is Outcome.FAILED and copy and not copy.last:
            record = None  # the unit's own worker may do better
        spent = watch.take()
        self._ledger.end(unit.name, self._holder, record and self._signed(record, spent))
        return True

    def _signed(self, record: Record, spent: Spent) -> Record:
        return replace(
            record,
            worker=process_name(),
            lane=self._call.lane,
            started=spent.started,
            seconds=spent.seconds,
            phases=spent.phases,
            loading=self._loading_once(),
            retries=self._order.storage.retries.take(),
        )

    def _loading_once(self) -> Spent | None:
        try:
            return self._loading.pop()
        except IndexError:  # another thread's record has it
            return None

    @contextmanager
    def _turn(self, name: str) -> Iterator[Begun]:
        """For what might kill the worker. What was in a worker that died is done alone.

        Raises DeadlyError for what too many workers died of.
        """
        with self._turns.shared():
            begun = self._ledger.begin(name, self._holder)
            if begun.unwanted or not begun.deaths:
                yield begun
                return
        if begun.deaths >= self._order.most_deaths:
            raise DeadlyError(f"{begun.deaths} workers died of it; look at its rows or give workers more memory")
        with self._turns.alone():
            yield self._ledger.begin(name, self._holder, alone=True)

    def _embed(self, rows: UnitRows, watch: PhaseWatch) -> Record | None:
        """Tokenise, encode, write; None if another worker did so meanwhile. The commit is the last thing done."""
        if rows.rejects.num_rows and self._order.on_bad_row == "fail":
            return Record(rows.unit.name, Outcome.FATAL, _first_reject(rows))
        watch.enter(Phase.TOKENIZE)
        tokens = self._encoder.tokenize_documents(rows.texts())
        watch.enter(Phase.WAIT)
        with self._encoding:
            watch.enter(Phase.ENCODE)
            encoded = self._encoder.encode_tokens(tokens)
            watch.enter(Phase.ASSEMBLE)
        file = self._plan.files[rows.unit.file]
        embedded = embedded_rows(file, rows, tokens, encoded)
        if embedded.rows.rejects.num_rows and self._order.on_bad_row == "fail":
            return Record(rows.unit.name, Outcome.FATAL, _first_reject(embedded.rows))
        watch.enter(Phase.CLAIM)
        if not self._may_commit(rows.unit):
            return None
        watch.enter(Phase.COMMIT)
        self._plan = self._load_plan()  # or it would be written among another run's
        replacing = rows.unit in self._order.replaced
        shard = commit_unit(self._output, self._plan, self._order.columns, embedded, self._encoder, replacing)
        return Record(
            unit=rows.unit.name,
            outcome=Outcome.DONE,
            shard=shard,
            stats=encoded.stats,
            reasons=dict(Counter(embedded.rows.rejects["reason"].to_pylist())),
            lengths=length_counts(embedded.tokens, self._encoder.resolved.max_tokens),
        )

    def _may_commit(self, unit: Unit) -> bool:
        """Whether this worker is the one to commit the unit. Waits while another one is about to."""
        while (claim := self._ledger.claim(unit.name, self._holder)) is Claim.ANOTHERS:
            time.sleep(POLL_SECONDS)
        return claim is Claim.MINE


class _Call(threading.local):
    """What a thread is at work for: a call that its sender has a name for, or whatever it is sent. lane: the thread's
    number among those of its worker, from 1."""

    def __init__(self, lanes: Iterator[int]) -> None:
        self.name = str(threading.get_ident())
        self.lane = next(lanes)


def process_name() -> str:
    """What records call this process: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _name_in_ledger() -> str:
    """The actor's id, which it keeps when it is restarted; outside Ray, host and process."""
    import ray

    actor = ray.get_runtime_context().get_actor_id() if ray.is_initialized() else None
    return actor or process_name()


def _process() -> str:
    """Ray's id of this process; outside Ray, the process's own."""
    import ray

    return ray.get_runtime_context().get_worker_id() if ray.is_initialized() else str(os.getpid())


def _node() -> str:
    """The node's id; outside Ray, the host."""
    import ray

    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else socket.gethostname()


def _restarted() -> bool:
    """Whether this worker died before, perhaps while it loaded. What tasks it had wait for it alone."""
    import ray

    if not ray.is_initialized() or ray.get_runtime_context().get_actor_id() is None:
        return False
    return bool(ray.get_runtime_context().was_current_actor_reconstructed)


def _first_reject(rows: UnitRows) -> str:
    reject = rows.rejects.slice(0, 1).to_pylist()[0]
    place = "" if reject["row"] is None else f", row {reject['row']}"
    return f"{reject['file']}{place}: {reject['reason']}; mend it, or leave out --on-bad-row fail"


def _failure(unit: str, error: Exception) -> Record:
    """What a failed unit says of itself."""
    outcome = Outcome.SET_ASIDE if isinstance(error, DeadlyError) else Outcome.FAILED
    outcome = Outcome.FATAL if isinstance(error, InputChangedError | OtherPlanError | StorageFullError) else outcome
    return Record(unit, outcome, _told(error))


def _told(error: Exception) -> str:
    """One line for the user; the trace of an error that is none of ours goes to the worker's log."""
    if isinstance(error, EncorpusError):
        return str(error)
    log.error("a worker failed", exc_info=error)
    return f"{type(error).__name__}: {first_line(error)}"
