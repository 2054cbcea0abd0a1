"""The priority of a job's workers among the processes of a machine."""

import os

import pytest
import ray

pytestmark = pytest.mark.usefixtures("ray_session")


def test_workers_have_the_priority_that_the_job_was_started_with():
    @ray.remote
    def priority() -> int:
        return os.nice(0)

    assert ray.get(priority.remote()) == os.nice(0)
