"""Has a job done by the replicas of a running application, instead of a pool of its own."""

import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from typing import Any

from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import RayServeException

from pipelines.encoder.spec import resolve_spec
from pipelines.errors import EncorpusError, UsageError
from pipelines.job.embed import Workforce
from pipelines.job.follow import follow
from pipelines.job.history import History
from pipelines.job.job import Job, located
from pipelines.job.prepare import Prepared
from pipelines.job.record import Outcome, Record
from pipelines.job.remote_ledger import RemoteLedger
from pipelines.job.session import ray_session
from pipelines.job.tasks import tasks_for
from pipelines.job.work_order import work_order
from pipelines.output.remaining import Remaining
from pipelines.version import encorpus_version
from serving.batch.application_state import LOOK_SECONDS, Watch, handle_to, require_application
from serving.batch.batch_call import Wanted
from serving.batch.calls import Calls, calling
from serving.batch.no_answer import no_answer

# Replicas die of more than units: of updates, of operators, of fewer being needed.
MOST_DEATHS = 5

# How long a replica that runs may take to say whether a job fits.
ANSWER_SECONDS = 60.0


@contextmanager
def through(application: str, job: Job) -> Iterator[Workforce]:
    """The replicas of a Ray Serve application on the job's cluster (`auto`, where it names none), as a workforce.

    Raises UsageError where there is no such application, or none of its models gives this job's vectors; nothing is
    written then.
    """
    with ray_session(job.address or "auto", cpus=1):
        require_application(application)
        resolved = resolve_spec(located(job).encoder, job.storage.options)
        _require_fit(application, Wanted(resolved.spec, resolved.fingerprint, encorpus_version()))

        def workforce(prepared: Prepared, work: Remaining, history: History) -> Generator[Record]:
            watch = Watch(application)
            replicas = max(1, watch.look().running)
            history.pool = replicas, replicas
            tasks = tasks_for(work, replicas)
            order = replace(work_order(prepared, threads=None), most_deaths=MOST_DEATHS)

            def start(ledger: Any, late: bool) -> AbstractContextManager[Future[None]]:
                return calling(Calls(application, watch, tasks, order, RemoteLedger(ledger)), late)

            with closing(follow(tasks, order.replaced, start)) as records:
                yield from (record for record in records if record.outcome is not Outcome.ENDED)

        yield workforce


def _require_fit(application: str, wanted: Wanted) -> None:
    """Asks a replica, as soon as there is one."""
    watch, silent_since = Watch(application), time.monotonic()
    response: Any = None
    while True:
        try:
            response = response or handle_to(application).refuses_batch_work.remote(wanted)
            refusal = response.result(timeout_s=LOOK_SECONDS)
            break
        except RayActorError as error:
            raise EncorpusError(f"--through {application}: its replica died; run the same command again") from error
        except (RayTaskError, RayServeException) as error:
            raise no_answer(application, "refuses_batch_work", error) from error
        except TimeoutError:  # last, since an error of the replica's own may be one, too
            if not watch.look().running:
                silent_since = time.monotonic()
            if time.monotonic() - silent_since > ANSWER_SECONDS:
                raise EncorpusError(
                    f"--through {application}: its replicas run, and their answers do not arrive; set RAY_AUTH_MODE, "
                    "and RAY_AUTH_TOKEN if any, as they were set where the cluster was started"
                ) from None
    if refusal:
        raise UsageError(f"--through {application}: {refusal}")
