"""Tasks go to the replicas of an application as calls, a few at a time each, and again when a call is lost."""

import itertools
import logging
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from typing import Any

from ray.exceptions import ActorUnavailableError, RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from pipelines.corpus.plan import Unit
from pipelines.errors import EncorpusError, first_line
from pipelines.job.head import ended_with_block
from pipelines.job.ledger import Ledger
from pipelines.job.tasks import Task
from pipelines.job.work_order import WorkOrder
from serving.batch.application_state import LOOK_SECONDS, Watch, handle_to
from serving.batch.batch_call import Call
from serving.batch.no_answer import PASSING

log = logging.getLogger(__name__)

# One call is encoded while another is read or written, and one waits. Far fewer than the requests that a replica takes,
# which online ones share.
CALLS_A_REPLICA = 3

# How often who waits for an answer looks up, to see whether it is still wanted.
ANSWER_SECONDS = 0.5

# A task that is lost so often is at fault itself, though it dies before it begins with a unit.
MOST_LOSSES = 50

# How long the threads that wait for answers may take to hear that they are not wanted any more.
STOP_SECONDS = 30.0


class Came(Enum):
    """What came of a call: its task is done; its replica gave it back before; its replica died with it; or it was not
    begun, given up, or not wanted any more."""

    DONE = "done"
    BACK = "back"
    LOST = "lost"
    AGAIN = "again"


class Calls:
    """Sends a job's tasks to whichever replicas there are, and when all are sent, tasks without a file."""

    def __init__(self, application: str, watch: Watch, tasks: Sequence[Task], order: WorkOrder, ledger: Ledger) -> None:
        self._application = application
        self._watch = watch
        self._order = order
        self._ledger = ledger
        self._job = uuid.uuid4().hex
        self._numbers = itertools.count()
        self._waiting = deque(tasks)
        self._in_flight: dict[Future[Any], _Flight] = {}
        self._losses: Counter[Task] = Counter()
        self._stopped: Future[Any] = Future()
        self._handle: Any = None
        self._resume = 0.0
        self._idle_since: float | None = None

    def run(self, late: bool) -> None:
        """Until all tasks have an answer. late: whether units may be late, so that who has nothing to do may help.

        Raises EncorpusError when the application does not come back, or fails by itself.
        """
        try:
            while (self._waiting or self._in_flight) and not self._stopped.done():
                seen = self._watch.look()
                if not seen.there:
                    self._forget_application()
                elif time.monotonic() >= self._resume:
                    self._send(seen.running, late)
                ended, _ = wait({self._stopped, *self._in_flight}, LOOK_SECONDS, FIRST_COMPLETED)
                for future in ended & self._in_flight.keys():
                    flight = self._in_flight.pop(future)
                    if flight.call.task.file is None and future.result() is Came.DONE:
                        late = False  # nothing is unfinished any more
                    self._settle(flight, future.result())
        finally:
            self._give_up()

    def stop(self) -> None:
        """Has `run` end soon, from another thread."""
        self._stopped.set_result(None)

    def _give_up(self) -> None:
        """What is in flight. No thread is left that could meet a Ray that is shut down, which ends the process."""
        self._forget_application()
        wait(self._in_flight, STOP_SECONDS)

    def _forget_application(self) -> None:
        """Nobody waits for what was sent to it: it may have no answer for ever, or keep a replica from its end. What
        comes in its place is not reached by the handle; what is done twice is committed once."""
        self._handle = None
        for flight in self._in_flight.values():
            flight.unwanted.set()

    def _send(self, replicas: int, late: bool) -> None:
        """What so many replicas can do, or one call, which has Serve start a replica where it needs none otherwise."""
        if self._handle is None:
            try:
                # One, since each has a router of its own.
                self._handle = handle_to(self._application).do_batch_work
            except (RayError, RayServeException):
                return
        idle = sum(flight.call.task.file is None for flight in self._in_flight.values())
        busy = len(self._in_flight) - idle
        while self._waiting and busy < max(1, CALLS_A_REPLICA * replicas):
            self._start(self._waiting.popleft())
            busy += 1
        # One a replica: of those in one, only one is given a unit at a time.
        for _ in range(replicas - idle if late and busy and not self._waiting else 0):
            self._idle_since = self._idle_since or time.monotonic()
            self._start(Task(file=None), time.monotonic() - self._idle_since)

    def _start(self, task: Task, idle: float = 0.0) -> None:
        name = f"{self._job}-{next(self._numbers)}"
        call = Call(self._job, name, task, self._order, self._ledger, idle)
        flight = _Flight(self._application, self._handle, call)
        self._in_flight[flight.start()] = flight

    def _settle(self, flight: "_Flight", came: Came) -> None:
        task = flight.call.task
        if came is Came.DONE:
            return
        if came is not Came.BACK or flight.seconds < LOOK_SECONDS:
            # Serve itself may need a moment to leave out a replica that died, is full, or is about to stop.
            self._resume = time.monotonic() + LOOK_SECONDS
        if came is Came.LOST:
            self._ledger.lost(flight.call.name)
            self._count_loss(task)
        elif came is Came.BACK:
            self._ledger.given_back(flight.call.name)
        else:
            self._ledger.given_up(flight.call.name)
        if left := self._left_of(task):
            self._waiting.appendleft(left)

    def _count_loss(self, task: Task) -> None:
        if task.file is None:
            return
        self._losses[task] += 1
        if self._losses[task] == MOST_LOSSES:
            raise EncorpusError(
                f"--through {self._application}: {MOST_LOSSES} replicas died at the same task ({task}); look at "
                "their logs, or embed without --through"
            )

    def _left_of(self, task: Task) -> Task | None:
        """What has to be sent again. A unit that failed is not: a run would come back with it for ever."""
        if task.file is None:
            return None
        if not task.slices:
            return task
        slices = {Unit(task.file, number).name: number for number in task.slices}
        left = self._ledger.without_record(list(slices))
        return replace(task, slices=tuple(slices[name] for name in left)) if left else None


class _Flight:
    """A call on its way. unwanted: set when nobody waits for its answer any more."""

    def __init__(self, application: str, handle: Any, call: Call) -> None:
        self.call = call
        self.unwanted = threading.Event()
        self._application = application
        self._handle = handle
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._started

    def start(self) -> "Future[Came]":
        """Sends it, and waits for the answer in a thread of its own."""
        future: Future[Came] = Future()

        def run() -> None:
            try:
                future.set_result(self._answer())
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, name=self.call.name, daemon=True).start()
        return future

    def _answer(self) -> Came:
        """Raises EncorpusError for an error of the replica's own."""
        try:
            response = self._handle.remote(self.call)
            while True:
                try:
                    return Came.DONE if response.result(timeout_s=ANSWER_SECONDS) else Came.BACK
                except TimeoutError as error:
                    if isinstance(error, RayTaskError):
                        raise
                    if self.unwanted.is_set():
                        response.cancel()
                        return Came.AGAIN
        except RayTaskError as error:  # which may be one of Serve's, too
            if isinstance(error.cause, PASSING):
                return self._again(error)
            cause = f"{type(error.cause).__name__}: {first_line(error.cause)}"
            raise EncorpusError(
                f"--through {self._application}: its replica failed at a task: {cause}; look at its log"
            ) from error
        except RayServeException as error:
            # Full, not there yet, or not there any more: the watch tells how long to go on.
            return self._again(error)
        except ActorUnavailableError as error:
            # Not reached for a moment; it may be at work for the call.
            return self._again(error)
        except RayError as error:
            log.warning("call %s is lost: %s", self.call.name, first_line(error))
            return Came.LOST

    def _again(self, error: Exception) -> Came:
        log.info("call %s is sent again: %s", self.call.name, first_line(error))
        return Came.AGAIN


@contextmanager
def calling(calls: Calls, late: bool) -> Iterator[Future[None]]:
    """Runs the calls in a thread, and gives the future of their end; stops them at the end of the context."""
    end: Future[None] = Future()

    def run() -> None:
        try:
            calls.run(late)
            end.set_result(None)
        except Exception as error:
            end.set_exception(error)

    thread = threading.Thread(target=run, name="calls", daemon=True)
    thread.start()
    with ended_with_block(lambda: _stop(calls, thread)):
        yield end


def _stop(calls: Calls, thread: threading.Thread) -> None:
    calls.stop()
    thread.join(2 * STOP_SECONDS)  # Serve may leave it without an answer
