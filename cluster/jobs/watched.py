"""A job shown to somebody until it ends, and what they can do about it when they have seen enough."""

import argparse
import time

from cluster.console import Console
from cluster.jobs.client import Cluster, ClusterError, UnreachableError
from cluster.jobs.following import ConnectionLostError, follow
from cluster.jobs.jobs_of_output import FAILED, INTERRUPTED, exit_status_of, state_told
from pipelines.output_command import output_command


def watched(cluster: Cluster, job_id: str, arguments: argparse.Namespace, console: Console) -> int:
    """Prints the job's lines, and gives its exit status: 130 where the watching was interrupted, 1 where the cluster
    was not to be reached again."""
    command = f"encorpus {arguments.command}"
    try:
        job = follow(cluster, cluster.job(job_id), console)
    except KeyboardInterrupt:
        console.note(f"{command}: interrupted; the job goes on")
        tell_commands(arguments, cluster.url, console)
        return INTERRUPTED
    except (ConnectionLostError, UnreachableError, ClusterError) as error:
        console.note(f"{command}: {error}")
        tell_commands(arguments, cluster.url, console)
        return FAILED
    status = exit_status_of(job)
    if status != job.exit_code:  # its own lines do not say it
        console.note(f"{command}: the job {state_told(job, time.time())}")
    return status


def tell_commands(arguments: argparse.Namespace, url: str, console: Console) -> None:
    """The commands that look at the job, follow it and end it."""
    console.print(f"  how far it is:  {job_command('status', arguments, url)}")
    console.print(f"  what it says:   {job_command('logs', arguments, url, '--follow')}")
    console.print(f"  end it:         {job_command('cancel', arguments, url)}")


def job_command(name: str, arguments: argparse.Namespace, url: str, *more: str) -> str:
    """One of them, as a shell takes it."""
    options = [key for key, _ in getattr(arguments, "storage_option", ())] if name == "status" else []
    return output_command(name, arguments.output, options, "--cluster", url, *more)
