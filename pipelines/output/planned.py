"""What an output is to hold: its job and plan, read back, and which units belong to it."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from pipelines.corpus.plan_file import plan_digest, plan_from_bytes
from pipelines.corpus.plan_types import Columns, CorpusFile, Plan, Unit
from pipelines.errors import StorageError, UsageError
from pipelines.output.chunk_columns import with_chunk_fields
from pipelines.output.job_file import JobFile, load_job_file
from pipelines.output.layout import Output


@dataclass(frozen=True)
class Planned:
    """An output's job.json and plan.parquet. digest: of the latter."""

    job: JobFile
    plan: Plan
    digest: str

    @property
    def columns(self) -> Columns:
        """The input columns that the job reads."""
        plain = self.job.columns
        return Columns(plain["text"], plain["id"], tuple(plain["keep"]))

    @property
    def sequence(self) -> bool:
        """Whether a row's embedding is a vector a token."""
        return self.job.encoder["pooling"] == "sequence"

    @property
    def chunked(self) -> bool:
        """Whether a row is a chunk of a document."""
        encoder = self.job.encoder
        return encoder.get("chunk_tokens") is not None and encoder.get("chunk_pool") is None

    @property
    def row_schema(self) -> pa.Schema:
        """The shards' columns that say which row of the input, and which part of it, a vector is of."""
        return with_chunk_fields(self.plan.schema) if self.chunked else self.plan.schema


def load_planned(output: Output) -> Planned:
    """Reads both. Raises UsageError when there is no output of encorpus, StorageError when a file is damaged."""
    return planned_from(output, load_job_file(output), output.storage.read_if_there(output.plan_uri))


def planned_from(output: Output, job: JobFile | None, plan: bytes | None) -> Planned:
    """Both, where job.json and plan.parquet have been read. Raises as `load_planned` does."""
    if job is None or plan is None:
        raise UsageError(f"{output.uri}: not an output of encorpus embed: it has no _encorpus/job.json or plan.parquet")
    try:
        return Planned(job, plan_from_bytes(plan), plan_digest(plan))
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        raise StorageError(f"{output.plan_uri}: not a plan of encorpus; put the right one back") from None


def refuse_other_encoder(planned: Planned, output: Output, fingerprint: str) -> None:
    """Raises UsageError where an encoder is not the one that made the output's vectors."""
    if planned.job.fingerprint != fingerprint:
        raise UsageError(
            f"{output.uri}: its encoder has fingerprint {planned.job.fingerprint[:16]}, the one named has "
            f"{fingerprint[:16]}; name the model that made the output"
        )


def units_of_plan(plan: Plan, units: Iterable[Unit]) -> list[Unit]:
    """Those of the units that are the plan's, or may be, in order: a streamed file can have any number of slices."""
    return sorted(
        unit for unit in units if unit.file < len(plan.files) and _has_slice(plan.files[unit.file], unit.slice)
    )


def units_of_retired(plan: Plan, units: Iterable[Unit]) -> list[Unit]:
    """Those of the units that were the plan's once: their shards may go when a manifest no longer lists them."""
    return sorted(unit for unit in units if unit.file < len(plan.files) and plan.files[unit.file].retired)


def _has_slice(file: CorpusFile, number: int) -> bool:
    return not file.retired and (file.slices is None or number < file.slices)
