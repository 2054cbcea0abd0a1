"""`encorpus status`: how far an output is."""

import argparse
import time

from cluster.console import Console
from cluster.job_options import storage_of
from pipelines.errors import EncorpusError
from pipelines.numbers import count, rows_held, size
from pipelines.output.layout import Output
from pipelines.output.status import Status, status
from pipelines.output_command import output_command

COMPLETE, UNFINISHED = 0, 1


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Tells; the exit status is 0 for a finished output and 1 for one with something missing."""
    active = arguments.cluster is not None and _tell_job(arguments, console)
    storage = storage_of(arguments)
    try:
        found = status(Output(arguments.output, storage))
    except EncorpusError as error:
        if arguments.cluster is None:
            raise
        console.print(f"output       nothing to be seen from here: {error}")
        return UNFINISHED
    encoder = found.planned.job.encoder
    console.print(f"model        {encoder['model']} ({encoder['pooling']}, {encoder['max_tokens']} tokens)")
    console.print(f"fingerprint  {found.planned.job.fingerprint}")
    console.print(f"corpus       {count(found.files, 'file')}")
    console.print(f"committed    {_committed(found)}")
    console.print(f"missing      {_missing(found)}")
    if found.listed is not None:
        console.print(
            f"readers see  {count(found.listed, 'shard')} of before, which the manifest lists until all is done"
        )
    console.print(f"rejects      {found.rejects:,}")
    for reason, number in found.reasons.items():
        console.print(f"  {number:,} × {reason}")
    if not found.finished:
        if not active:
            console.print("run the same embed command again to do what is missing")
        return UNFINISHED
    console.print(f"prove it     {output_command('verify', arguments.output, storage.options)}")
    return COMPLETE


def _tell_job(arguments: argparse.Namespace, console: Console) -> bool:
    """Tells of the last job for the output, and of its last line; whether it may not have ended yet."""
    # Ray takes seconds to import, and the files can be looked at without.
    from cluster.jobs.client import Cluster, ClusterError, UnreachableError
    from cluster.jobs.job_log import JobLog
    from cluster.jobs.jobs_of_output import jobs_of, state_told

    try:
        cluster = Cluster(arguments.cluster)
        jobs = jobs_of(arguments.output, cluster.jobs())
        if not jobs:
            console.print(f"job          none that {cluster.url} knows of")
            return False
        job = jobs[-1]
        console.print(f"job          {job.id}: {state_told(job, time.time())}")
        for line in JobLog(job).all_lines(cluster.log(job.id))[-1:]:
            console.print(f"last line    {line}")
        return not job.over
    except (UnreachableError, ClusterError) as error:
        console.print(f"job          {error}")
        return True


def _committed(found: Status) -> str:
    truncated = f" ({found.truncated:,} of them cut at the maximum)" if found.truncated else ""
    held = f"{rows_held(found.rows, found.documents)}{truncated}, {count(found.tokens, 'token')}, {size(found.bytes)}"
    return f"{count(found.committed, 'unit')}: {held}"


def _missing(found: Status) -> str:
    parts = [count(len(found.remaining.units), "unit")] if found.remaining.units else []
    for file, slices in found.unfinished_streams:
        parts.append(f"the end of {file.uri} ({count(slices, 'slice')} there)")
    if not parts and not found.manifest:
        parts.append("the manifest")
    return ", ".join(parts) or "nothing"
