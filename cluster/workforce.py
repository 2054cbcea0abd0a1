"""Who does a job's work: a pool of its own, or the replicas of the application that --through names."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import UsageError
from pipelines.job.embed import Workforce, pool
from pipelines.job.job import Job


@contextmanager
def workforce_of(arguments: argparse.Namespace, job: Job) -> Iterator[Workforce]:
    """The one asked for. Raises UsageError where the application cannot do this job, or is to have other workers."""
    if arguments.through is None:
        yield pool
        return
    own_pool = {
        "--workers": arguments.workers,
        "--gpus-per-worker": arguments.gpus_per_worker,
        "--runtime": arguments.runtime != "auto",
        "--calibrate": arguments.calibrate,
    }
    for option, given in own_pool.items():
        if given:
            raise UsageError(f"--through and {option} exclude each other: an application has its replicas")
    # Ray Serve takes seconds to import.
    from serving.batch.through import through

    with through(arguments.through, job) as workforce:
        yield workforce
