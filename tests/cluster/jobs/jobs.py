"""Jobs as a cluster tells of them."""

from dataclasses import replace

from cluster.jobs.client import ClusterJob
from cluster.jobs.jobs_of_output import OUTPUT_KEY

RUNNING = ClusterJob(
    id="encorpus-out-0123456789-1",
    status="RUNNING",
    entrypoint="exec python -m cluster.jobs.start embed -- s3://b/in",
    metadata={OUTPUT_KEY: "s3://b/out"},
    message="",
    error=None,
    exit_code=None,
    began=1000.0,
    ended=None,
)


def ended(status, exit_code=None, **more):
    """One that ended after a minute."""
    return replace(RUNNING, status=status, exit_code=exit_code, ended=1060.0, **more)
