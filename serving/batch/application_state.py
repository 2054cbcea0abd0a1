"""A running application of `encorpus serve`, as a job sees it: whether it is there, and how many replicas answer."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ray
from ray import serve
from ray.exceptions import ActorDiedError, RayError
from ray.serve._private.common import ReplicaState
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from ray.serve.context import _set_global_client
from ray.serve.schema import ApplicationDetails, ApplicationStatus, ServeInstanceDetails

from pipelines.errors import EncorpusError, UsageError, first_line

# How often the application is looked at: often enough to notice a replica that is new within a unit or so.
LOOK_SECONDS = 2.0

# Serve's controller answers at once, or is away, as while it is started again; then it never would.
CONTROLLER_SECONDS = 5.0

# Serve notices within half a minute that a replica does not answer any more, and starts another at once, as it does
# for a call where there was none. Where none even starts for so long, nobody is about to bring the application back.
GONE_SECONDS = 60.0

# A large model may take minutes to be fetched and loaded.
LOADING_SECONDS = 900.0

STARTING = (ReplicaState.STARTING, ReplicaState.UPDATING, ReplicaState.RECOVERING)


class Seen(NamedTuple):
    """An application. there: whether it is, and stays. running: replicas that answer. starting: those that may soon."""

    there: bool = False
    running: int = 0
    starting: int = 0


def look_at(application: str) -> Seen | None:
    """What there is of it at the moment; None where Serve's controller does not say."""
    try:
        found = _applications().get(application)
    except ActorDiedError:  # for good, and what it ran with it
        return Seen()
    except RayError:
        return None
    if found is None or found.status is ApplicationStatus.DELETING:
        return Seen()
    states = [replica.state for deployment in found.deployments.values() for replica in deployment.replicas]
    return Seen(
        there=True,
        running=sum(state is ReplicaState.RUNNING for state in states),
        starting=sum(state in STARTING for state in states),
    )


def handle_to(application: str) -> Any:
    """Sends requests to it. Raises RayError or RayServeException where it is not there.

    Serve keeps to the controller that it found first, which may be gone, and another one there.
    """
    _set_global_client(None)
    return serve.get_app_handle(application)


def _applications() -> Mapping[str, ApplicationDetails]:
    """Those on the cluster. `serve.status` has no timeout, and keeps to the controller that it found first."""
    try:
        controller: Any = ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
    except ValueError:
        return {}
    details = ray.get(controller.get_serve_instance_details.remote(), timeout=CONTROLLER_SECONDS)
    return ServeInstanceDetails.model_validate(details).applications


def require_application(application: str) -> None:
    """Raises UsageError, which lists those that run, where there is no such application; EncorpusError where Serve
    does not say."""
    try:
        names = sorted(_applications())
    except RayError as error:
        told = f"Ray Serve does not answer ({type(error).__name__}: {first_line(error)}); run the same command again"
        raise EncorpusError(f"--through {application}: {told}") from error
    if application not in names:
        there = (
            f"there are {', '.join(names)}"
            if names
            else "none runs there; start one with `encorpus serve`, or name another cluster with --address"
        )
        raise UsageError(f"--through {application}: no such Ray Serve application on this cluster; {there}")


class Watch:
    """Looks at an application now and then, and tells when there is nothing to wait for any more."""

    def __init__(
        self,
        application: str,
        look: Callable[[str], Seen | None] = look_at,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._look = look
        self._clock = clock
        self._looked = float("-inf")
        self._answered = self._hopeful = clock()
        self._seen = Seen()

    def look(self) -> Seen:
        """What there is, as of the last two seconds, or as last seen. Raises EncorpusError when it has been too little,
        or out of sight, for too long."""
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return self._seen
        self._looked = now
        seen = self._look(self._application)
        if seen is not None:
            self._seen = seen
            if seen.running:
                self._answered = now
            if seen.running or seen.starting:
                self._hopeful = now
        if now - self._hopeful > GONE_SECONDS or now - self._answered > LOADING_SECONDS:
            raise EncorpusError(
                f"--through {self._application}: no replica of it has answered for {now - self._answered:.0f} s; bring "
                "the application back and run the same command again, which goes on where this ended"
            )
        return self._seen
