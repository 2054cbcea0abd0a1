"""A replica's share in batch jobs: a worker for each job, which is as one of a pool but for its encoder."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ray.exceptions import RayActorError

from pipelines.errors import UsageError
from pipelines.job.phases import StartPhase
from pipelines.job.work_order import UnitEncoder, WorkOrder
from pipelines.job.worker import EmbedWorker
from pipelines.version import encorpus_version
from serving.batch.batch_call import Call, Wanted
from serving.batch.batch_lane import BatchLaneEncoder, LanesEnded, Served
from serving.batch.fit import fit

log = logging.getLogger(__name__)

# Nobody tells a call that its replica is to stop, and one that has not ended by then counts as a death. So a run of
# units comes back by itself when the unit at hand is done, and what is left of it is sent again, to one that stays.
RUN_SECONDS = 30.0
IDLE_SECONDS = 10.0


@dataclass
class _JobHere:
    """A job, as far as this replica has to do with it. calls: in hand. making: held while its worker is made."""

    calls: int = 0
    making: threading.Lock = field(default_factory=threading.Lock)
    worker: EmbedWorker | None = None


class BatchWork:
    """The jobs that a replica has calls of in hand, and the one before."""

    def __init__(self, models: Mapping[str, Served]) -> None:
        self._models = models
        self._jobs: dict[str, _JobHere] = {}
        self._changed = threading.Lock()

    def refusal(self, wanted: Wanted) -> str | None:
        """Why no model here fits a job; None where one does."""
        try:
            fit(self._models, wanted)
        except UsageError as error:
            return str(error)
        return None

    def do(self, call: Call) -> bool:
        """Does a call's task, and tells the job's ledger what comes of it. False if its time, the job or the thread
        that encodes ended before it did, or the call was given up."""
        until = time.monotonic() + (IDLE_SECONDS if call.task.file is None else RUN_SECONDS)
        try:
            with self._worker(call) as worker:
                return worker.do(call.task, call.name, lambda: time.monotonic() >= until, call.idle)
        except LanesEnded:
            return False
        except RayActorError as error:
            # The ledger has gone, since the job is over: somebody else was faster, or its driver is no more.
            log.info("job %s ended while this replica was at work for it: %s", call.job, error)
            return False

    @contextmanager
    def _worker(self, call: Call) -> Iterator[EmbedWorker]:
        with self._changed:
            here = self._jobs.setdefault(call.job, _JobHere())
            here.calls += 1
        try:
            with here.making:
                here.worker = here.worker or EmbedWorker(replace(call.order, load=self._encoder), call.ledger)
            yield here.worker
        finally:
            with self._changed:
                here.calls -= 1
                # The last job's worker is for its next call, which may be about to come.
                self._jobs = {name: job for name, job in self._jobs.items() if job.calls or name == call.job}

    def _encoder(self, order: WorkOrder, enter: Callable[[StartPhase], None]) -> UnitEncoder:
        return BatchLaneEncoder(*fit(self._models, Wanted(order.encoder, order.fingerprint, encorpus_version())))
