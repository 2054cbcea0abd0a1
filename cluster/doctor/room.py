"""Room for the job's workers on the nodes of a cluster as they are now."""

from collections.abc import Collection, Iterator

from cluster.doctor.finding import Finding, failure, warning
from cluster.doctor.node import Share


def check_room(shares: Collection[Share], gpus_per_worker: float) -> Iterator[Finding]:
    """Whether any node has it. Where no node is there for work, more may come with a job. shares: of all nodes."""
    if any(share.workers(gpus_per_worker) for share in shares):
        return
    if gpus_per_worker and any(share.cpus or share.gpus for share in shares):
        gpus = max(share.gpus for share in shares)
        found = f"--gpus-per-worker {gpus_per_worker:g}: Ray sees no node with more than {gpus:g} GPUs"
        advice = "add nodes with GPUs, or start Ray there with --num-gpus; where a job brings them, look while one runs"
        yield failure("GPUs", found, advice)
    else:
        found = "no node has room for a worker now: what workers need was looked at nowhere"
        yield warning("workers", found, "where nodes come with a job, look again while one runs; else add nodes")
