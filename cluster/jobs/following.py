"""A job watched from afar: its lines as they come, whatever becomes of the connection."""

import asyncio
import time

from cluster.console import Console
from cluster.jobs.client import Cluster, ClusterError, ClusterJob, UnreachableError
from cluster.jobs.job_log import JobLog
from pipelines.errors import EncorpusError
from pipelines.numbers import duration

# A job that works writes a line twice a minute: a connection that brings none for so long may be dead.
SILENT_SECONDS = 90

# How long a cluster that was there is waited for, and the pauses between attempts.
PATIENCE_SECONDS = 300
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0


class ConnectionLostError(EncorpusError):
    """The cluster was not to be reached again; the job may well go on."""


def follow(cluster: Cluster, job: ClusterJob, console: Console, patience: float = PATIENCE_SECONDS) -> ClusterJob:
    """Prints the job's lines until it has ended, and returns what has become of it. Leaves the job alone in any case.

    patience: seconds. Raises ConnectionLostError when the cluster was not to be reached for so long.
    """
    return asyncio.run(_follow(cluster, job, console, _Outage(console, patience)))


class _Outage:
    """How long the cluster has not been reached, and when to try again."""

    def __init__(self, console: Console, patience: float) -> None:
        self._console = console
        self._patience = patience
        self.over()

    def over(self) -> None:
        self._since: float | None = None
        self.pause = FIRST_PAUSE

    def note(self, error: EncorpusError) -> None:
        if self._since is None:
            self._since = time.monotonic()
            self._console.note(f"the connection is lost ({error}); trying again for {duration(self._patience)}")
        elif time.monotonic() - self._since >= self._patience:
            raise ConnectionLostError(f"{error}, for {duration(self._patience)}; the job may well go on")


async def _follow(cluster: Cluster, job: ClusterJob, console: Console, outage: _Outage) -> ClusterJob:
    log = JobLog(job)
    while True:
        try:
            await _print_lines(cluster, job.id, log, console, outage)
            now = cluster.job(job.id)
            if now.over:
                for line in log.all_lines(cluster.log(job.id)):
                    console.print(line)
                return now
        except (UnreachableError, ClusterError) as error:
            outage.note(error)
        await asyncio.sleep(outage.pause)
        outage.pause = min(2 * outage.pause, LONGEST_PAUSE)


async def _print_lines(cluster: Cluster, job_id: str, log: JobLog, console: Console, outage: _Outage) -> None:
    """Until the log ends or is silent."""
    log.read_again()
    pieces = cluster.log_pieces(job_id)
    try:
        while True:
            piece = await asyncio.wait_for(anext(pieces), SILENT_SECONDS)
            outage.over()
            for line in log.new_lines(piece):
                console.print(line)
    except (StopAsyncIteration, TimeoutError):
        pass
    finally:
        await pieces.aclose()
