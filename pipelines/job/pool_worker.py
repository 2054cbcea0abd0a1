"""The worker of a pool. From a node that is to go soon, as a spot machine after a notice, it leaves between two units.

Ray Data sends no more tasks to workers on draining nodes, but what they have been sent they would do until the node is
gone. A worker that ends itself is started again on another node, where its tasks go on after what is done.
"""

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pyarrow as pa
import ray
import ray._private.state

from pipelines.job.ledger import Ledger
from pipelines.job.phases import PhaseWatch, StartPhase, steady_clock
from pipelines.job.process_started import process_started
from pipelines.job.tasks import tasks_of
from pipelines.job.work_order import WorkOrder
from pipelines.job.worker import EmbedWorker

log = logging.getLogger(__name__)

# A spot machine has two minutes after its notice, or half of one.
ASK_SECONDS = 2.0

# How long Ray may take to have a call's answer, a few hundred bytes, after the call.
ANSWER_SECONDS = 1.0


class PoolWorker:
    """Ray calls it with tables of tasks, some at a time in as many threads."""

    def __init__(self, order: WorkOrder, ledger: Ledger) -> None:
        node = ray.get_runtime_context().get_node_id()
        self._notice = Notice(node, ray._private.state.state.get_draining_nodes, time.monotonic)
        self._leaving = Leaving(_kill)
        self._worker = EmbedWorker(order, ledger, PhaseWatch(StartPhase, steady_clock(), process_started()))

    def __call__(self, table: pa.Table) -> pa.Table:
        """Does the table's tasks, tells the ledger what comes of them, and gives the table back. Never comes back from
        a node that has been given notice."""
        with self._leaving.call():
            for task in tasks_of(table):
                if self._notice.given() or not self._worker.do(task, over=self._notice.given):
                    self._leaving.leave()
        return table


class Notice:
    """Whether a node is draining, which is asked once in a while.

    draining: gives the ids of all that are. clock: in seconds.
    """

    def __init__(self, node: str, draining: Callable[[], Collection[str]], clock: Callable[[], float]) -> None:
        self._node = node
        self._draining = draining
        self._clock = clock
        self._asked = -math.inf
        self._given = False
        self._asking = threading.Lock()

    def given(self) -> bool:
        """Whether it was, when Ray was last asked."""
        with self._asking:
            if not self._given and self._clock() - self._asked >= ASK_SECONDS:
                self._asked = self._clock()
                try:
                    self._given = self._node in self._draining()
                except Exception as error:  # Ray's head may be away for a while, which is no unit's failure
                    log.warning("Ray does not say whether this node is draining: %s", error)
            return self._given


class Leaving:
    """Ends the process when none of its calls has anything in hand, and the answers of those before are on their way.

    end: does so. answer_seconds: how long an answer may take.
    """

    def __init__(self, end: Callable[[], None], answer_seconds: float = ANSWER_SECONDS) -> None:
        self._end = end
        self._answer_seconds = answer_seconds
        self._changed = threading.Condition()
        self._busy = 0
        self._ending = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """A call that may have something in hand."""
        with self._changed:
            self._busy += 1
        try:
            yield
        finally:
            self._without_work()

    def leave(self) -> None:
        """For a call that has nothing in hand any more. Never comes back."""
        self._without_work()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy)
            first, self._ending = not self._ending, True
        if first:
            # Calls whose answers Ray has not got are repeated as a whole. One that comes meanwhile begins nothing.
            time.sleep(self._answer_seconds)
            self._end()
        threading.Event().wait()

    def _without_work(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()


def _kill() -> None:
    log.warning("this node is draining: the worker leaves it")
    # Whatever else ends an actor, Ray takes for its wish not to be started again.
    os.kill(os.getpid(), signal.SIGKILL)
