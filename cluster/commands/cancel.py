"""`encorpus cancel`: ends the job for an output, as an interruption would end `encorpus embed`."""

import argparse
import time

from cluster.console import Console
from cluster.jobs.client import Cluster
from cluster.jobs.jobs_of_output import last_job, state_told
from pipelines.errors import EncorpusError

LOOK_SECONDS = 0.5

# More than what a job has between SIGTERM and SIGKILL.
PATIENCE_SECONDS = 120


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Returns when the job has ended. One that has ended before is left as it is, and the exit status is 0 too."""
    cluster = Cluster(arguments.cluster)
    job = last_job(arguments.output, cluster)
    if job.over:
        console.print(f"job {job.id} has ended before: {state_told(job, time.time())}")
        return 0
    console.note(f"ending job {job.id}")
    deadline = time.monotonic() + PATIENCE_SECONDS
    stopping = False
    while not job.over:
        if time.monotonic() > deadline:
            raise EncorpusError(f"job {job.id} has not ended after {PATIENCE_SECONDS} s; cancel it again")
        # A job that has hardly been accepted cannot be stopped yet.
        stopping = stopping or cluster.stop(job.id)
        time.sleep(LOOK_SECONDS)
        job = cluster.job(job.id)
    advice = "; submit it again to go on" if job.status == "STOPPED" else ""
    console.print(f"job {job.id} {state_told(job, time.time())}{advice}")
    return 0
