"""`encorpus plan`: what embedding a corpus would mean. Writes nothing."""

import argparse
from collections.abc import Iterator

from cluster.console import Console
from cluster.job_options import columns_of, encoder_of, storage_of
from cluster.numbers import count, duration, size
from pipelines.corpus.plan import Plan, make_plan
from pipelines.encoder.spec import ResolvedSpec, resolve_spec
from pipelines.job.cores import usable_cores
from pipelines.job.estimate import Estimate, estimate, estimated_rows, sample
from pipelines.job.shard_rows import default_shard_rows, sequence_bytes

SHOWN_BROKEN = 5


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Plans; with a model, also tokenises a sample and probes the encoder."""
    storage, columns = storage_of(arguments), columns_of(arguments)
    resolved = resolve_spec(encoder_of(arguments), storage.options) if arguments.model else None
    plan = make_plan(arguments.inputs, columns, _shard_rows(arguments, resolved), storage)
    known = all(file.rows is not None or file.error for file in plan.files)
    sampled = sample(plan, columns, storage) if resolved or not known else []
    rows = estimated_rows(plan, sampled)
    for line in _plan_lines(plan, rows):
        console.print(line)
    if not resolved:
        console.print("name a --model for tokens, rates and time")
        return 0
    from pipelines.encoder.text_encoder import TextEncoder

    gpus = arguments.gpus_per_worker
    workers = arguments.workers[1] if arguments.workers else 1 if gpus else usable_cores()
    threads = None if gpus else max(1, usable_cores() // workers)
    encoder = TextEncoder.load_resolved(resolved, threads)
    found = estimate(sampled, encoder)
    if found is None:
        console.print("no texts to sample")
        return 0
    for line in _estimate_lines(plan, rows, workers, found, encoder.resolved.max_tokens):
        console.print(line)
    return 0


def _shard_rows(arguments: argparse.Namespace, resolved: ResolvedSpec | None) -> int:
    """Those asked for, or as `embed` would have them for a new output."""
    if arguments.shard_rows:
        return arguments.shard_rows
    if resolved is None:
        return default_shard_rows(arguments.pooling, arguments.gpus_per_worker)
    return default_shard_rows(resolved.pooling, arguments.gpus_per_worker, sequence_bytes(resolved))


def _plan_lines(plan: Plan, rows: int) -> Iterator[str]:
    streamed = [file for file in plan.files if file.streamed]
    cut = [file for file in plan.files if not file.streamed and not file.error]
    yield f"{count(len(plan.files), 'file')}, {size(sum(file.size for file in plan.files))}"
    if cut:
        about = "" if all(file.rows is not None for file in cut) else "about "
        yield f"{about}{count(rows, 'row')} in {count(sum(file.slices or 0 for file in cut), 'unit')}"
    if streamed:
        extent = size(sum(file.size for file in streamed))
        yield f"{count(len(streamed), 'streamed file')}, {extent}, whose rows only reading them tells"
    broken = [file for file in plan.files if file.error]
    yield from (f"cannot be read, will be a reject: {file.uri}: {file.error}" for file in broken[:SHOWN_BROKEN])
    if len(broken) > SHOWN_BROKEN:
        yield f"  and {len(broken) - SHOWN_BROKEN} more"


def _estimate_lines(plan: Plan, rows: int, workers: int, found: Estimate, max_tokens: int) -> Iterator[str]:
    half, most, nearly_all = found.percentiles
    yield (
        f"tokens a row, of {count(found.sampled, 'row')} sampled: mean {found.tokens:.0f}, half up to {half}, "
        f"90 % up to {most}, 99 % up to {nearly_all}; {found.truncated:.1%} are cut at {max_tokens}"
    )
    yield f"one worker on this machine: {found.rows_per_second:,.0f} rows/s, padding {found.padding:.1%}"
    if rows:
        apart = ", without the streamed files" if any(file.streamed for file in plan.files) else ""
        vectors = size(rows * found.bytes_per_row)
        told = f"{count(rows, 'row')} on {count(workers, 'worker')}: about"
        yield f"{told} {duration(rows / found.rows_per_second / workers)}, {vectors} of vectors{apart}"
