"""What lies in the output before a run, and whether it is this job's to go on with."""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from pipelines.corpus.inputs import holds
from pipelines.corpus.plan import Unit
from pipelines.encoder.spec import ResolvedSpec, resolve_spec
from pipelines.errors import UsageError
from pipelines.job.job import Job, located
from pipelines.job.shard_rows import default_shard_rows, sequence_bytes
from pipelines.output.job_file import JobFile, difference, job_from_bytes
from pipelines.output.layout import Output
from pipelines.output.manifest import Manifest, load_manifest
from pipelines.output.planned import Planned, planned_from
from pipelines.version import encorpus_version


@dataclass(frozen=True)
class Found:
    """job: with absolute paths. job_file: as this job writes it. shards: the units whose shards are there, those of
    retired files too. planned: the job and plan that they follow, None where there are none. job_bytes, plan_bytes:
    job.json and plan.parquet, if they are there. manifest: of the last run that came to its end."""

    job: Job
    job_file: JobFile
    resolved: ResolvedSpec
    output: Output
    shards: frozenset[Unit]
    planned: Planned | None
    job_bytes: bytes | None
    plan_bytes: bytes | None
    manifest: Manifest | None

    @property
    def with_shards(self) -> frozenset[int]:
        """The numbers of the files that have a shard at least."""
        return frozenset(unit.file for unit in self.shards)


def look_for(job: Job) -> Found:
    """Resolves the job's encoder, and looks at its output.

    Raises ModelError where there is no such encoder, UsageError as `look_at_output` does.
    """
    job = located(job)
    return look_at_output(job, resolve_spec(job.encoder, job.storage.options))


def look_at_output(job: Job, resolved: ResolvedSpec) -> Found:
    """Lists the output of a job with absolute paths, and reads its plan, job.json and manifest.

    Raises UsageError when the output belongs to another spec or cannot be one.
    """
    output = Output(job.output, job.storage)
    shards = _shards_in(output, job.inputs)
    plan_bytes, job_bytes = map(output.storage.read_if_there, (output.plan_uri, output.job_uri))
    # Without a plan and shards, job.json is of a job of which nothing is left.
    before = job_from_bytes(output, job_bytes) if job_bytes is not None and (plan_bytes is not None or shards) else None
    shard_rows = job.shard_rows or (before and before.shard_rows)
    if shard_rows is None:
        shard_rows = default_shard_rows(resolved.pooling, job.gpus_per_worker, sequence_bytes(resolved))
    job_file = _job_file(job, resolved, shard_rows)
    if before is not None and (told := difference(before, job_file)):
        raise UsageError(_made_otherwise(output, told, bool(shards)))
    return Found(
        job=job,
        job_file=job_file,
        resolved=resolved,
        output=output,
        shards=shards,
        planned=planned_from(output, before, plan_bytes) if shards else None,
        job_bytes=job_bytes,
        plan_bytes=plan_bytes,
        manifest=load_manifest(output),
    )


def _made_otherwise(output: Output, told: str, shards: bool) -> str:
    way_out = "use the same options, or another folder"
    if not shards:
        way_out += f", or, as there are no shards yet, delete {output.plan_uri} if no other run is at work there"
    return f"-o {output.uri}: made otherwise: {told}; {way_out}"


def _shards_in(output: Output, inputs: Collection[str]) -> frozenset[Unit]:
    """Refuses a place where shards cannot lie, or would be taken for something else."""
    if output.storage.exists(output.uri):
        raise UsageError(f"-o {output.uri}: a file; name a folder")
    shard = output.shard_uri(Unit(0, 0))
    if around := [given for given in inputs if holds(given, shard)]:
        raise UsageError(f"-o {output.uri}: lies inside the input {around[0]}; choose a folder beside it")
    listing = output.listing()
    if listing.strangers:
        raise UsageError(
            f"-o {output.uri}: holds {listing.strangers[0]}, which is no shard; move it away, or choose another folder"
        )
    return listing.units


def _job_file(job: Job, resolved: ResolvedSpec, shard_rows: int) -> JobFile:
    return JobFile(
        encoder=resolved.describe(),
        fingerprint=resolved.fingerprint,
        columns={**asdict(job.columns), "keep": list(job.columns.keep)},
        shard_rows=shard_rows,
        inputs=list(job.inputs),
        encorpus_version=encorpus_version(),
    )
