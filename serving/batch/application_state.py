"""A running application of `encorpus serve`, as a job sees it: whether it is there, and how many replicas answer."""

import time
from collections.abc import Callable
from typing import NamedTuple

from ray import serve
from ray.exceptions import RayError
from ray.serve._private.common import ReplicaState
from ray.serve.exceptions import RayServeException
from ray.serve.schema import ApplicationStatus

from pipelines.errors import EncorpusError, UsageError

# How often the application is looked at: often enough to notice a replica that is new within a unit or so.
LOOK_SECONDS = 2.0

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


def look_at(application: str) -> Seen:
    """What there is of it at the moment."""
    try:
        found = serve.status().applications.get(application)
    except (RayError, RayServeException):  # the controller is away
        return Seen()
    if found is None or found.status is ApplicationStatus.DELETING:
        return Seen()
    states = [deployment.replica_states for deployment in found.deployments.values()]
    return Seen(
        there=True,
        running=sum(state.get(ReplicaState.RUNNING, 0) for state in states),
        starting=sum(state.get(soon, 0) for state in states for soon in STARTING),
    )


def require_application(application: str) -> None:
    """Raises UsageError, which lists those that run, where there is no such application."""
    names = sorted(serve.status().applications)
    if application not in names:
        there = f"there are {', '.join(names)}" if names else "none runs there; start one with `encorpus serve`"
        raise UsageError(f"--through {application}: no such Ray Serve application on this cluster; {there}")


class Watch:
    """Looks at an application now and then, and tells when there is nothing to wait for any more."""

    def __init__(
        self,
        application: str,
        look: Callable[[str], Seen] = look_at,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._look = look
        self._clock = clock
        self._looked = float("-inf")
        self._answered = self._hopeful = clock()
        self._seen = Seen()

    def look(self) -> Seen:
        """What there is, as of the last two seconds. Raises EncorpusError when it has been too little for too long."""
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return self._seen
        self._looked = now
        self._seen = self._look(self._application)
        if self._seen.running:
            self._answered = now
        if self._seen.running or self._seen.starting:
            self._hopeful = now
        if now - self._hopeful > GONE_SECONDS or now - self._answered > LOADING_SECONDS:
            raise EncorpusError(
                f"--through {self._application}: no replica of it has answered for {now - self._answered:.0f} s; bring "
                "the application back and run the same command again, which goes on where this ended"
            )
        return self._seen
