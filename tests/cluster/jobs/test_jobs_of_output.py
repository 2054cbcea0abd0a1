"""Jobs are found by their output, and told in words."""

from dataclasses import replace

import pytest

from cluster.jobs.jobs_of_output import canonical, exit_status_of, failure_told, jobs_of, next_id, state_told
from tests.cluster.jobs.jobs import RUNNING, ended


def job(number, output="s3://b/out"):
    prefix = next_id(output, []).removesuffix("-1")
    return replace(RUNNING, id=f"{prefix}-{number}", metadata={"encorpus_output": output})


def test_one_place_has_one_spelling():
    assert canonical("s3://b/out/") == canonical("s3://b/out")
    assert canonical("file:///data//out/") == canonical("/data/x/../out")


def test_the_output_s_jobs_in_order():
    several = [job(10), job(2), job(1, "s3://b/other"), replace(job(3), metadata={})]
    assert [found.id for found in jobs_of("s3://b/out/", several)] == [job(2).id, job(10).id]


def test_an_id_tells_the_output_and_is_new():
    first = next_id("s3://b/my vectors/", [])
    assert first.startswith("encorpus-my-vectors-") and first.endswith("-1")
    assert next_id("s3://b/out", [job(1), job(10)]) == job(11).id


def test_whoever_asks_at_the_same_time_gets_the_same_id():
    assert next_id("s3://b/out", [job(1)]) == next_id("s3://b/out/", [job(1)])


@pytest.mark.parametrize("output", ["s3://b/é…", "/", "s3://b/" + "x" * 500, "s3://b/a;b'c"])
def test_an_id_is_fit_for_a_url_and_a_file(output):
    name = next_id(output, [])
    assert len(name) < 80 and name.replace("-", "").isascii() and name.replace("-", "").isalnum()


@pytest.mark.parametrize(
    ("found", "told", "status"),
    [
        (replace(RUNNING, status="PENDING"), "waits to begin, for 1 min 40 s", None),
        (RUNNING, "running for 1 min 40 s", None),
        (ended("SUCCEEDED", 0), "finished, after 1 min 00 s", 0),
        (ended("FAILED", 1), "failed (exit status 1), after 1 min 00 s", 1),
        (ended("FAILED", 2), "was refused (exit status 2), after 1 min 00 s", 2),
        (ended("FAILED", 3), "finished, but some rows or files were rejected (exit status 3), after 1 min 00 s", 3),
        (ended("FAILED", -9), "was killed by signal 9; what is committed stays, submit it again to go on", 1),
        (ended("FAILED", 127), "failed before it began: the head's Ray finds no program `python` on its PATH", 1),
        (ended("FAILED", 64), "failed (exit status 64), after 1 min 00 s", 1),
        (ended("STOPPED"), "was cancelled; what is committed stays, after 1 min 00 s", 130),
    ],
)
def test_states_and_endings_in_words(found, told, status):
    assert state_told(found, now=1100.0).startswith(told)
    if status is not None:
        assert exit_status_of(found) == status


def test_a_job_that_never_began_says_why_in_one_line():
    message = "runtime_env setup failed: Failed to set up runtime environment.\nTraceback\n  x\nOSError: disk full\n"
    told = state_told(ended("FAILED", error="RUNTIME_ENV_SETUP_FAILURE", message=message), now=1100.0)
    assert told == (
        "failed before it began: runtime_env setup failed: Failed to set up runtime environment. … OSError: disk full"
        ", after 1 min 00 s"
    )


def test_a_job_whose_node_died_had_begun():
    lost = ended("FAILED", error="JOB_SUPERVISOR_ACTOR_DIED", message="Job supervisor actor died")
    assert state_told(lost, now=1100.0).startswith("ended with its node: Job supervisor actor died")


def test_ray_may_say_nothing():
    assert failure_told(" \n") == "Ray does not say why"
