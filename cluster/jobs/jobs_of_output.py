"""Which of a cluster's jobs write an output, and what has become of one."""

import hashlib
import re
from collections.abc import Iterable

from cluster.jobs.client import Cluster, ClusterJob
from pipelines.errors import UsageError, last_line
from pipelines.local_files import absolute
from pipelines.numbers import duration

OUTPUT_KEY = "encorpus_output"
VERSION_KEY = "encorpus_version"
SLUG_LETTERS = 30

SUCCEEDED, FAILED, INTERRUPTED = 0, 1, 130
OWN_STATUSES = (1, 2, 3, INTERRUPTED)
ENDINGS = {
    1: "failed (exit status 1)",
    2: "was refused (exit status 2)",
    3: "finished, but some rows or files were rejected (exit status 3)",
    INTERRUPTED: "was interrupted; what is committed stays",
}


def canonical(output: str) -> str:
    """One spelling of an output's place, by which jobs are found."""
    return absolute(output).rstrip("/")


def jobs_of(output: str, jobs: Iterable[ClusterJob]) -> list[ClusterJob]:
    """Those that write this output, oldest first."""
    mine = [job for job in jobs if job.metadata.get(OUTPUT_KEY) == canonical(output) and _number(job.id)]
    return sorted(mine, key=lambda job: _number(job.id))


def last_job(output: str, cluster: Cluster) -> ClusterJob:
    """The last one. Raises UsageError where the cluster knows none."""
    found = jobs_of(output, cluster.jobs())
    if not found:
        raise UsageError(f"{cluster.url} knows no job for {output}, as it was given to `encorpus submit`")
    return found[-1]


def next_id(output: str, before: Iterable[ClusterJob]) -> str:
    """The id of the output's next job. Whoever asks at the same time gets the same, and a cluster takes it once."""
    place = canonical(output)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", place.rpartition("/")[2]).strip("-")[:SLUG_LETTERS]
    digest = hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    number = 1 + max((_number(job.id) for job in before), default=0)
    return "-".join(filter(None, ("encorpus", slug, digest, str(number))))


def _number(job_id: str) -> int:
    last = job_id.rpartition("-")[2]
    return int(last) if last.isascii() and last.isdecimal() else 0


def state_told(job: ClusterJob, now: float) -> str:
    """What the job is at, or how it ended. now: seconds since 1970."""
    if job.status == "PENDING":
        return f"waits to begin, for {duration(max(0, now - job.began))}"
    if not job.over:
        return f"running for {duration(max(0, now - job.began))}"
    taken = f", after {duration(job.ended - job.began)}" if job.ended else ""
    return f"{_ending(job)}{taken}"


def _ending(job: ClusterJob) -> str:
    if job.status == "SUCCEEDED":
        return "finished"
    if job.status == "STOPPED":
        return "was cancelled; what is committed stays"
    if job.exit_code is None:
        when = "ended with its node" if job.error == "JOB_SUPERVISOR_ACTOR_DIED" else "failed before it began"
        return f"{when}: {failure_told(job.message)}"
    if job.exit_code == 127:
        program = job.entrypoint.split()[1]
        return f"failed before it began: the head's Ray finds no program `{program}` on its PATH"
    if job.exit_code < 0:
        return f"was killed by signal {-job.exit_code}; what is committed stays, submit it again to go on"
    return ENDINGS.get(job.exit_code, f"failed (exit status {job.exit_code})")


def failure_told(message: str) -> str:
    """Ray's message of many lines in one: what failed, and the last line, which says why."""
    last = last_line(message)
    if not last:
        return "Ray does not say why"
    first = message.strip().splitlines()[0].strip()
    return last if first[:300] == last else f"{first[:150]} … {last}"


def exit_status_of(job: ClusterJob) -> int:
    """The exit status of the job's command, as far as it had one: 130 where it was cancelled, 1 for anything else."""
    if job.status == "SUCCEEDED":
        return SUCCEEDED
    if job.status == "STOPPED":
        return INTERRUPTED
    return job.exit_code if job.exit_code in OWN_STATUSES else FAILED
