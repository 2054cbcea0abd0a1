"""What is told of an application that does not say whether a job fits it: the cause, and what to do."""

import pytest
from ray.exceptions import RayTaskError
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException

from pipelines.errors import EncorpusError, UsageError
from serving.batch.no_answer import no_answer


def of_a_replica(cause: Exception) -> RayTaskError:
    """As it arrives here."""
    return RayTaskError("asked", "Traceback (most recent call last): ...", cause).as_instanceof_cause()


def test_an_application_without_the_method_is_none_of_encorpus():
    error = RayServeException("Tried to call a method 'asked' that does not exist. Available methods: ['other'].")
    told = no_answer("app", "asked", of_a_replica(error))
    assert isinstance(told, UsageError)
    assert str(told) == "--through app: no application of `encorpus serve`"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (of_a_replica(OSError("no such file\nat all")), "OSError: no such file; look at the logs of its replicas"),
        (
            DeploymentUnavailableError(DeploymentID("encoder", "app")),
            "DeploymentUnavailableError: .*; look at the logs of its replicas",
        ),
        (BackPressureError(7, 7), "BackPressureError: Request dropped .*; run the same command again"),
        (of_a_replica(BackPressureError(7, 7)), "BackPressureError: Request dropped .*; run the same command again"),
    ],
    ids=["fails", "failed to deploy", "full", "full behind a replica"],
)
def test_any_other_error_is_named_with_what_to_do(error, told):
    answer = no_answer("app", "asked", error)
    assert not isinstance(answer, UsageError)
    with pytest.raises(EncorpusError, match=rf"^--through app: it does not say whether the job fits it: {told}$"):
        raise answer
