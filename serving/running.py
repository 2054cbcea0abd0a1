"""An application in a Ray that is connected: started, watched, and ended after what it has begun."""

import logging
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import ray
from ray import serve
from ray.serve import Application
from ray.serve.api import RunTarget
from ray.serve.context import _get_global_client
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview

from pipelines.errors import EncorpusError, UsageError

# Where in the address an application answers.
PREFIX = "/"

POLL_SECONDS, READY_POLL_SECONDS = 0.5, 2.0
ANSWER_SECONDS = 30.0

# For the requests that a replica has taken, and for their answers to be on their way.
CLOSE_SECONDS = 90.0
SENT_SECONDS = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """running, starting: replicas. ready: whether all is as it was asked for. trouble: why it is not, in one line."""

    running: int
    starting: int
    ready: bool
    trouble: str | None = None


def require_room(name: str) -> None:
    """Raises UsageError where an application of that name is there, or another one in its place: it would be lost."""
    client = _get_global_client(raise_if_no_controller_running=False)
    there = client.get_serve_details()["applications"] if client else {}
    if other := next((other for other, details in there.items() if details.get("route_prefix") == PREFIX), None):
        raise UsageError(f"--name {name}: the application {other} answers on that cluster already; end that one first")
    if name in there:
        raise UsageError(
            f"--name {name}: that cluster has an application of that name; give another --name, or end that one first"
        )


def listen(host: str, port: int) -> str:
    """Starts Ray Serve behind a port of each node, and returns its address; one that runs already keeps its own."""
    serve.start(http_options={"host": host, "port": port})
    client = _get_global_client()
    assert client, "it raises where none runs"
    where = client.http_config
    return f"http://[{where.host}]:{where.port}" if ":" in str(where.host) else f"http://{where.host}:{where.port}"


def ray_address() -> str:
    """Where others reach the connected Ray, in the form of `--address`."""
    return ray.get_runtime_context().gcs_address


def start(application: Application, name: str) -> None:
    """Starts an application where Ray Serve listens. Does not wait until it is ready."""
    serve.run_many([RunTarget(application, name=name, route_prefix=PREFIX)], wait_for_applications_running=False)


def states(name: str) -> Iterator[State]:
    """What becomes of an application, whenever it changes, without an end. Raises EncorpusError as `state_of`."""
    before = None
    while True:
        state = state_of(serve.status().applications.get(name))
        if state != before:
            yield state
        before = state
        # Each look costs the controller and this process some milliseconds, which replicas could have.
        time.sleep(READY_POLL_SECONDS if state.ready else POLL_SECONDS)


def state_of(seen: ApplicationStatusOverview | None) -> State:
    """What Ray Serve says of an application. Raises EncorpusError where it cannot start, or is gone."""
    if seen is None:
        raise EncorpusError("the application is gone: somebody has deleted it")
    replicas = Counter[str]()
    for deployment in seen.deployments.values():
        replicas.update({str(state): number for state, number in deployment.replica_states.items()})
    message = "\n".join([seen.message, *(deployment.message for deployment in seen.deployments.values())])
    if seen.status is ApplicationStatus.DEPLOY_FAILED:
        raise EncorpusError(f"the replicas do not start: {reason(message)}")
    return State(
        running=replicas["RUNNING"],
        starting=replicas["STARTING"],
        ready=seen.status is ApplicationStatus.RUNNING,
        trouble=reason(message) if seen.status is ApplicationStatus.UNHEALTHY else None,
    )


def require_answer(url: str) -> None:
    """Raises EncorpusError where nobody answers at a URL for a while, although the replicas are ready."""
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=ANSWER_SECONDS).close()
            return
        except OSError as error:
            if time.monotonic() > until:
                raise EncorpusError(f"{url} does not answer, although the replicas are ready: {error}") from None
        time.sleep(POLL_SECONDS)


def stop(name: str, everything: bool) -> None:
    """Ends an application after the requests that it has taken. everything: Ray Serve as a whole, too.

    Meanwhile others are told to come again later. Afterwards is too late: the proxy goes before the replicas.
    """
    try:
        serve.get_app_handle(name).broadcast("close").results(timeout_s=CLOSE_SECONDS)
    except Exception as error:
        # Such as none that has started; whatever it is, the end comes all the same.
        log.warning("the replicas do not close: %s", error)
    time.sleep(SENT_SECONDS)
    if everything:
        serve.shutdown()
    else:
        serve.delete(name)


def reason(message: str) -> str:
    """The last error in what Ray Serve tells, without its trace."""
    errors = re.findall(r"^\s*(?:[\w.]+\.)?(\w*(?:Error|Exception): .+)$", message, re.MULTILINE)
    return errors[-1] if errors else " ".join(message.split())[:300]
