"""Parsed options become a Job and its parts."""

import argparse
import time

from cluster.output_encoder import output_spec
from pipelines.corpus.plan import Columns
from pipelines.encoder.spec import EncoderSpec
from pipelines.errors import UsageError
from pipelines.job.job import Job
from pipelines.output.planned import Planned
from pipelines.storage import Storage


def storage_of(arguments: argparse.Namespace) -> Storage:
    """The storage with the options given."""
    return Storage(dict(arguments.storage_option))


def columns_of(arguments: argparse.Namespace) -> Columns:
    """The columns to read."""
    return Columns(text=arguments.text_column, id=arguments.id_column, keep=arguments.keep)


def encoder_of(arguments: argparse.Namespace) -> EncoderSpec:
    """The encoder asked for."""
    if not arguments.model:
        raise UsageError("--model is missing: name a SavedModel (`encorpus package` makes one from a checkpoint)")
    return EncoderSpec(
        model=arguments.model,
        preprocessor=arguments.preprocessor,
        pooling=arguments.pooling,
        layers=arguments.layers,
        normalize=arguments.normalize,
        max_tokens=arguments.max_tokens,
        dtype=arguments.dtype,
        precision=arguments.precision,
        chunk_tokens=arguments.chunk_tokens,
        chunk_overlap=arguments.chunk_overlap,
        chunk_pool=arguments.chunk_pool,
    )


def calibrated_since(arguments: argparse.Namespace) -> float:
    """The time before which no machine's calibration counts, in seconds of the epoch."""
    return time.time() if arguments.calibrate else 0.0


def job_of(arguments: argparse.Namespace) -> Job:
    """The job that `embed` was asked to run."""
    if not arguments.output:
        raise UsageError("-o OUTPUT is missing: name the folder for the shards")
    return Job(
        inputs=tuple(arguments.inputs),
        output=arguments.output,
        encoder=encoder_of(arguments),
        columns=columns_of(arguments),
        shard_rows=arguments.shard_rows,
        workers=arguments.workers,
        gpus_per_worker=arguments.gpus_per_worker,
        runtime=arguments.runtime,
        calibrated_since=calibrated_since(arguments),
        address=arguments.address,
        on_bad_row=arguments.on_bad_row,
        storage=storage_of(arguments),
        update=arguments.update,
        prune=arguments.prune,
        limit=arguments.limit,
    )


def job_of_output(planned: Planned, arguments: argparse.Namespace) -> Job:
    """The job that made an output, with the workers asked for now."""
    return Job(
        inputs=tuple(planned.job.inputs),
        output=arguments.output,
        encoder=output_spec(planned, arguments),
        columns=planned.columns,
        shard_rows=planned.job.shard_rows,
        workers=arguments.workers,
        gpus_per_worker=arguments.gpus_per_worker,
        runtime=arguments.runtime,
        calibrated_since=calibrated_since(arguments),
        address=arguments.address,
        storage=storage_of(arguments),
    )
