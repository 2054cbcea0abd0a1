"""`encorpus plan`: what embedding a corpus would mean. Writes nothing."""

import argparse
from collections.abc import Iterator

from cluster.commands.plan_nodes import asks_for_nodes, node_lines
from cluster.console import Console
from cluster.job_options import columns_of, encoder_of, storage_of
from pipelines.corpus.first_units import with_small_first_units
from pipelines.corpus.plan import Plan, make_plan
from pipelines.encoder.spec import ResolvedSpec, resolve_spec
from pipelines.job.cores import usable_cores
from pipelines.job.estimate import Estimate, estimate
from pipelines.job.sampling import KindRows, rows_by_kind, take_samples
from pipelines.job.shard_rows import begins_small, default_shard_rows, sequence_bytes
from pipelines.numbers import count, duration, rate, size

SHOWN_BROKEN = 5
LONGEST_BAR = 40
# Shown beside the pool of this machine, where nobody says how many workers there will be.
OTHER_WORKERS = (10, 100)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Plans; with a model, also tokenises a sample and probes the encoder."""
    nodes = asks_for_nodes(arguments)
    if nodes or arguments.price_per_hour is not None or arguments.tokens_per_second is not None:
        encoder_of(arguments)  # or there is no time to be told or paid
    storage, columns = storage_of(arguments), columns_of(arguments)
    resolved = resolve_spec(encoder_of(arguments), storage.options) if arguments.model else None
    shard_rows = _shard_rows(arguments, resolved)
    plan = make_plan(arguments.inputs, columns, shard_rows, storage)
    known = all(file.rows is not None or file.error for file in plan.files)
    samples = take_samples(plan, columns, storage) if resolved or not known else []
    kinds = rows_by_kind(plan, samples)
    rows = sum(file.rows or 0 for file in plan.files) + sum(kind.rows for kind in kinds)
    pooling = resolved.pooling if resolved else arguments.pooling
    small_first = begins_small(shard_rows, pooling, arguments.gpus_per_worker)
    for line in _plan_lines(with_small_first_units(plan) if small_first else plan, kinds, rows):
        console.print(line)
    if not resolved:
        console.print("name a --model for tokens, rates and time")
        return 0
    from pipelines.encoder.text_encoder import TextEncoder

    gpus = arguments.gpus_per_worker
    here = arguments.workers[1] if arguments.workers else 1 if gpus else usable_cores()
    threads = None if gpus else max(1, usable_cores() // here)
    encoder = TextEncoder.load_resolved(resolved, threads, arguments.runtime)
    found = estimate(samples, encoder, arguments.tokens_per_second)
    if found is None:
        console.print("no texts to sample")
        return 0
    workers = [here] if arguments.workers else sorted({here, *OTHER_WORKERS})
    for line in _token_lines(found, encoder.resolved.max_tokens):
        console.print(line)
    for line in _sum_lines(found, rows, [] if nodes else workers, arguments.price_per_hour):
        console.print(line)
    if nodes:
        stored = sum(file.size for file in plan.files if not file.error)
        for line in node_lines(found, rows, stored, shard_rows, arguments):
            console.print(line)
    return 0


def _shard_rows(arguments: argparse.Namespace, resolved: ResolvedSpec | None) -> int:
    """Those asked for, or as `embed` would have them for a new output."""
    if arguments.shard_rows:
        return arguments.shard_rows
    if resolved is None:
        return default_shard_rows(arguments.pooling, arguments.gpus_per_worker)
    return default_shard_rows(resolved.pooling, arguments.gpus_per_worker, sequence_bytes(resolved))


def _plan_lines(plan: Plan, kinds: list[KindRows], rows: int) -> Iterator[str]:
    yield f"{count(len(plan.files), 'file')}, {size(sum(file.size for file in plan.files))}"
    for kind in kinds:
        told = f"{count(kind.sampled_rows, 'row')} in {size(kind.sampled_bytes)} of it sampled"
        yield f"{kind.kind}: {count(kind.files, 'file')}, {size(kind.bytes)}, about {count(kind.rows, 'row')}; {told}"
    units = sum(file.slices or 0 for file in plan.files if not file.error)
    streamed = sum(file.streamed for file in plan.files)
    parts = [count(units, "unit")] if units else []
    parts += [count(streamed, "streamed file")] if streamed else []
    if parts:
        yield f"{'about ' if kinds else ''}{count(rows, 'row')} in {' and '.join(parts)}"
    broken = [file for file in plan.files if file.error]
    yield from (f"cannot be read, will be a reject: {file.uri}: {file.error}" for file in broken[:SHOWN_BROKEN])
    if len(broken) > SHOWN_BROKEN:
        yield f"  and {len(broken) - SHOWN_BROKEN} more"


def _token_lines(found: Estimate, max_tokens: int) -> Iterator[str]:
    half, most, nearly_all = found.percentiles
    spread = f"half up to {half}, 90 % up to {most}, 99 % up to {nearly_all}"
    sampled = f"of {count(found.sampled, 'row')} sampled: mean"
    if found.chunks is None:
        yield f"tokens a row, {sampled} {found.tokens:.1f}, {spread}; {found.truncated:.1%} are cut at {max_tokens}"
    else:
        yield f"chunks a row, {sampled} {found.chunks:.1f} with {found.tokens:.1f} tokens; tokens a chunk: {spread}"
    largest = max(bar.share for bar in found.lengths)
    for bar in found.lengths:
        drawn = "#" * round(LONGEST_BAR * bar.share / largest)
        yield f"{bar.least:>7} to {min(bar.most, max_tokens):<5} {bar.share:>6.1%}  {drawn}".rstrip()
    if not found.probed:
        yield f"one worker, as told: {found.rows_per_second * found.tokens:,.0f} tokens/s"
        return
    probed = f"{count(found.probed, 'row' if found.chunks is None else 'chunk')} in {found.probed_seconds:.1f} s"
    yield f"one worker on this machine: {probed} = {rate(found.rows_per_second)} rows/s, padding {found.padding:.1%}"


def _sum_lines(found: Estimate, rows: int, workers: list[int], price: float | None) -> Iterator[str]:
    told = count(rows, "row")
    seconds = rows / found.rows_per_second
    yield f"{told} × {found.tokens:.1f} tokens = {rows * found.tokens:,.0f} tokens"
    yield f"{told} × {found.bytes_per_row:,.0f} B = {size(rows * found.bytes_per_row)} of vectors"
    yield f"{told} / {rate(found.rows_per_second)} rows/s = {seconds / 3600:,.2f} hours of one worker"
    for number in workers:
        yield f"  on {count(number, 'worker')}: about {duration(seconds / number)}"
    if price is not None:
        cost = seconds / 3600 * price
        yield f"{seconds / 3600:,.2f} hours × {price:,g} = {cost:,.2f}, by however many workers"
