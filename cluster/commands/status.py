"""`encorpus status`: how far an output is."""

import argparse

from cluster.console import Console
from cluster.job_options import storage_of
from pipelines.numbers import count, rows_held, size
from pipelines.output.layout import Output
from pipelines.output.status import Status, status
from pipelines.output_command import output_command

COMPLETE, UNFINISHED = 0, 1


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Tells; the exit status is 0 for a finished output and 1 for one with something missing."""
    storage = storage_of(arguments)
    found = status(Output(arguments.output, storage))
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
        console.print("run the same embed command again to do what is missing")
        return UNFINISHED
    console.print(f"prove it     {output_command('verify', arguments.output, storage.options)}")
    return COMPLETE


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
