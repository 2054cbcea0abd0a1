"""What Ray Serve says of an application, in words for the user."""

from typing import Any, cast

import pytest
from ray import serve
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview, DeploymentStatusOverview

from pipelines.errors import EncorpusError
from serving.running import State, listen, reason, require_answer, state_of
from tests.s3_server import free_port

TRACE = """Deployment failed.
ray::EncoderReplica.__init__()
  File "text_encoder.py", line 98, in load
pipelines.errors.ModelError: /models/a: no SavedModel
"""


def overview(status: str, replicas: dict[str, int], message: str = "") -> ApplicationStatusOverview:
    told = {"status": "HEALTHY", "status_trigger": "UNSPECIFIED", "replica_states": replicas, "message": message}
    deployments = {"EncoderReplica": DeploymentStatusOverview(**cast(Any, told))}
    return ApplicationStatusOverview(ApplicationStatus(status), "", 0, deployments)


def test_replicas_are_counted_by_what_they_do():
    assert state_of(overview("DEPLOYING", {"STARTING": 2, "RUNNING": 1})) == State(1, 2, ready=False)
    assert state_of(overview("RUNNING", {"RUNNING": 3})) == State(3, 0, ready=True)


def test_trouble_is_the_last_error_in_one_line():
    state = state_of(overview("UNHEALTHY", {"RUNNING": 1}, TRACE))
    assert state.trouble == "ModelError: /models/a: no SavedModel"


def test_replicas_that_do_not_start_end_it():
    with pytest.raises(EncorpusError, match="the replicas do not start: ModelError: /models/a: no SavedModel"):
        state_of(overview("DEPLOY_FAILED", {}, TRACE))


def test_an_application_that_is_gone_ends_it():
    with pytest.raises(EncorpusError, match="the application is gone"):
        state_of(None)


def test_a_message_without_an_error_is_told_in_one_line():
    assert reason("no room\nfor  it ") == "no room for it"


def test_an_address_that_does_not_answer_is_an_error(monkeypatch):
    monkeypatch.setattr("serving.running.ANSWER_SECONDS", 0.1)
    with pytest.raises(EncorpusError, match=r"http://127\.0\.0\.1:1/ does not answer, although the replicas are ready"):
        require_answer("http://127.0.0.1:1/")


def test_a_serve_that_runs_keeps_its_address(ray_session):
    first = listen("127.0.0.1", free_port())
    try:
        assert listen("0.0.0.0", free_port()) == first
    finally:
        serve.shutdown()
