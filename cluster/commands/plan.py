"""`encorpus plan`: what embedding a corpus would mean. Writes nothing."""

import argparse
import os

from cluster.console import Console
from cluster.job_options import columns_of, encoder_of, storage_of
from cluster.numbers import count, duration, size
from pipelines.corpus.plan import Plan, make_plan
from pipelines.job.prepare import CPU_SHARD_ROWS, GPU_SHARD_ROWS


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Plans; with a model, also tokenises a sample and probes the encoder."""
    storage, columns = storage_of(arguments), columns_of(arguments)
    shard_rows = arguments.shard_rows or (GPU_SHARD_ROWS if arguments.gpus_per_worker else CPU_SHARD_ROWS)
    plan = make_plan(arguments.inputs, columns, shard_rows, storage)
    for line in _plan_lines(plan):
        console.print(line)
    if not arguments.model:
        console.print("name a --model for tokens, rates and time")
        return 0
    from pipelines.encoder.text_encoder import TextEncoder
    from pipelines.job.estimate import Estimate, estimate

    threads = None if arguments.gpus_per_worker else 1
    encoder = TextEncoder.load(encoder_of(arguments), threads, storage.options)
    found: Estimate | None = estimate(plan, columns, storage, encoder)
    if found is None:
        console.print("no texts to sample")
        return 0
    half, most, nearly_all = found.percentiles
    console.print(
        f"tokens a row, of {count(found.sampled, 'row')} sampled: mean {found.tokens:.0f}, half up to {half}, "
        f"90 % up to {most}, 99 % up to {nearly_all}; {found.truncated:.1%} are cut at {encoder.resolved.max_tokens}"
    )
    console.print(f"one worker on this machine: {found.rows_per_second:,.0f} rows/s, padding {found.padding:.1%}")
    rows = _known_rows(plan)
    if rows:
        workers = arguments.workers[1] if arguments.workers else os.cpu_count() or 1
        seconds = rows / found.rows_per_second / workers
        console.print(
            f"{count(rows, 'row')} on {count(workers, 'worker')}: about {duration(seconds)},"
            f" {size(rows * found.bytes_per_row)} of vectors"
        )
    return 0


def _known_rows(plan: Plan) -> int:
    """Rows of the files whose length is known without reading them; byte-cut files count by their mean row."""
    return sum(
        file.rows if file.rows is not None else plan.shard_rows * (file.slices or 0)
        for file in plan.files
        if not file.streamed
    )


def _plan_lines(plan: Plan) -> list[str]:
    streamed = [file for file in plan.files if file.streamed]
    exact = all(file.rows is not None for file in plan.files if not file.streamed)
    units = sum(file.slices or 0 for file in plan.files)
    total = size(sum(file.size for file in plan.files))
    lines = [f"{count(len(plan.files), 'file')}, {total}"]
    if units:
        lines.append(f"{'' if exact else 'about '}{count(_known_rows(plan), 'row')} in {count(units, 'unit')}")
    if streamed:
        extent = size(sum(file.size for file in streamed))
        lines.append(f"{count(len(streamed), 'streamed file')}, {extent}, whose rows only reading them tells")
    broken = [file for file in plan.files if file.error]
    lines += [f"cannot be read, will be a reject: {file.uri}: {file.error}" for file in broken[:5]]
    if len(broken) > 5:
        lines.append(f"  and {len(broken) - 5} more")
    return lines
