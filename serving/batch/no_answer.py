"""What is told of an application that does not even say whether a job fits it."""

from ray.exceptions import RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException, ReplicaUnavailableError, RequestCancelledError

from pipelines.errors import EncorpusError, UsageError, first_line

# What may be over in a moment.
PASSING = (BackPressureError, ReplicaUnavailableError, RequestCancelledError)


def no_answer(application: str, method: str, error: RayTaskError | RayServeException) -> EncorpusError:
    """The error to raise for one of asking by a method: a UsageError where the application has no such method."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, RayServeException) and f"'{method}' that does not exist" in str(cause):
        return UsageError(f"--through {application}: no application of `encorpus serve`")
    advice = "run the same command again" if isinstance(cause, PASSING) else "look at the logs of its replicas"
    told = f"{type(cause).__name__}: {first_line(cause)}"
    return EncorpusError(f"--through {application}: it does not say whether the job fits it: {told}; {advice}")
