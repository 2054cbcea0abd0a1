"""`encorpus logs`: what the last job for an output has said."""

import argparse

from cluster.console import Console
from cluster.jobs.client import Cluster
from cluster.jobs.job_log import JobLog
from cluster.jobs.jobs_of_output import last_job
from cluster.jobs.watched import watched


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Prints; the exit status is 0, or with --follow the job's own."""
    cluster = Cluster(arguments.cluster)
    job = last_job(arguments.output, cluster)
    if arguments.follow:
        return watched(cluster, job.id, arguments, console)
    for line in JobLog(job).all_lines(cluster.log(job.id)):
        console.print(line)
    return 0
