"""`encorpus submit`: has a cluster run `encorpus embed`, and shows what it says."""

import argparse
import shlex
import time
from contextlib import ExitStack
from typing import Any

from cluster.arguments import parser_of
from cluster.console import Console
from cluster.job_options import job_of
from cluster.jobs.client import Cluster, ClusterError, UnreachableError
from cluster.jobs.jobs_of_output import (
    FAILED,
    INTERRUPTED,
    OUTPUT_KEY,
    VERSION_KEY,
    canonical,
    jobs_of,
    next_id,
    state_told,
)
from cluster.jobs.places import places_of, shared_paths
from cluster.jobs.rendered import rendered
from cluster.jobs.secret_options import require_no_secrets
from cluster.jobs.shipped_code import shipped_code
from cluster.jobs.watched import job_command, tell_commands, watched
from pipelines.errors import UsageError
from pipelines.version import encorpus_version

ACCEPTED = 0
SENT, INSTALLED = ("python", "-m", "cluster.jobs.start"), ("encorpus",)

# Between SIGTERM and SIGKILL, for embed to end its workers and its report; Ray's own is 3.
STOP_SECONDS = 60


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Submits; the exit status is the job's own, or with --detach 0 once it is accepted.

    An interruption ends the watching alone, with status 130. Where the answer to the job is lost, the status is 1.
    """
    command = entrypoint(arguments, console)
    cluster = Cluster(arguments.cluster)
    cluster.require_ray()
    job_id = _free_id(cluster, arguments)
    try:
        _submit(cluster, job_id, command, arguments)
    except (KeyboardInterrupt, UnreachableError) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        console.note(f"encorpus submit: {'interrupted' if interrupted else error}; the job may have been accepted")
        tell_commands(arguments, cluster.url, console)
        return INTERRUPTED if interrupted else FAILED
    if arguments.detach:
        console.print(f"job {job_id}, accepted by {cluster.url}")
        tell_commands(arguments, cluster.url, console)
        return ACCEPTED
    console.note(f"job {job_id}, accepted by {cluster.url}; Ctrl-C ends the watching, not the job")
    return watched(cluster, job_id, arguments, console)


def entrypoint(arguments: argparse.Namespace, console: Console) -> str:
    """The job's command line. Raises UsageError for what cannot run there, or should not stand there."""
    arguments.address = "auto"  # the cluster that the job runs on
    job = job_of(arguments)
    places = tuple(places_of(arguments))
    paths = shared_paths(places)
    require_no_secrets(job.storage.options, places)
    if paths:
        console.note(f"taken as paths that all nodes of the cluster share: {', '.join(paths)}")
    arguments.storage_option = list(job.storage.options.items())  # without those that others replace
    words = rendered(arguments, parser_of("embed"))
    return f"exec {shlex.join([*(INSTALLED if arguments.installed else SENT), 'embed', *words])}"


def _free_id(cluster: Cluster, arguments: argparse.Namespace) -> str:
    """Raises UsageError while another job writes the output."""
    before = jobs_of(arguments.output, cluster.jobs())
    for job in before:
        if not job.over:
            raise _taken(arguments, cluster.url, f"{job.id} {state_told(job, time.time())}")
    return next_id(arguments.output, before)


def _taken(arguments: argparse.Namespace, url: str, how: str) -> UsageError:
    follow, cancel = job_command("logs", arguments, url, "--follow"), job_command("cancel", arguments, url)
    return UsageError(f"{arguments.output} has a job already: {how}; wait for it (`{follow}`) or end it (`{cancel}`)")


def _submit(cluster: Cluster, job_id: str, command: str, arguments: argparse.Namespace) -> None:
    metadata = {OUTPUT_KEY: canonical(arguments.output), VERSION_KEY: encorpus_version()}
    environment: dict[str, Any] = {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}}
    with ExitStack() as sent:
        if not arguments.installed:
            environment["working_dir"] = str(sent.enter_context(shipped_code()))
        try:
            cluster.submit(job_id, command, environment, metadata)
        except ClusterError as error:
            if "already exists" in str(error):  # somebody else was as quick
                raise _taken(arguments, cluster.url, f"{job_id}, accepted this moment") from None
            raise
