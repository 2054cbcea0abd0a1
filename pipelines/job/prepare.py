"""Before the work: settles spec, plan and job.json, and finds what is missing from the output.

The output alone decides what is left to do: one listing, and a footer for each streamed file.
"""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace

from pipelines.corpus.plan import Columns, Plan, Unit, extend_plan, make_plan, plan_to_bytes
from pipelines.encoder.spec import EncoderSpec, ResolvedSpec, resolve_spec
from pipelines.errors import EncorpusError, UsageError
from pipelines.job.shard_rows import default_shard_rows, sequence_bytes
from pipelines.local_files import absolute
from pipelines.output.job_file import JobFile, difference, save_job_file
from pipelines.output.layout import Output
from pipelines.output.planned import Planned, load_planned
from pipelines.output.remaining import Remaining, remaining
from pipelines.storage import Storage
from pipelines.version import encorpus_version


@dataclass(frozen=True)
class Job:
    """What to embed, with what, to where, by how many workers.

    workers: least and most, None for one a CPU core (or GPU). shard_rows: rows of a unit, about; None for those of
    the output's shards, or the default of the device. address: of a Ray cluster, None for this machine. on_bad_row:
    reject or fail.
    """

    inputs: tuple[str, ...]
    output: str
    encoder: EncoderSpec
    columns: Columns = field(default_factory=lambda: Columns(text="text"))
    shard_rows: int | None = None
    workers: tuple[int, int] | None = None
    gpus_per_worker: float = 0.0
    address: str | None = None
    on_bad_row: str = "reject"
    storage: Storage = field(default_factory=Storage)

    def __post_init__(self) -> None:
        gpus = self.gpus_per_worker
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise UsageError(f"--gpus-per-worker {gpus:g}: a whole number, or a part below 1, is needed")


@dataclass(frozen=True)
class Prepared:
    """A job that can start: its plan is written, and what is missing is known.

    plan_digest: of plan.parquet. committed: units already there.
    """

    job: Job
    resolved: ResolvedSpec
    plan: Plan
    plan_digest: str
    output: Output
    committed: int
    remaining: Remaining


def prepare(job: Job) -> Prepared:
    """Makes or extends the plan, checks that the output is this job's, and writes plan and job.json.

    Raises UsageError when the output belongs to another spec or cannot be one, InputChangedError when a planned
    file changed.
    """
    job = _located(job)
    resolved = resolve_spec(job.encoder, job.storage.options)
    output = Output(job.output, job.storage)
    committed = _committed_to(output, job.inputs)
    before = output.storage.read_if_there(output.plan_uri)
    theirs = load_planned(output) if committed else None
    usual = default_shard_rows(resolved.pooling, job.gpus_per_worker, sequence_bytes(resolved))
    shard_rows = job.shard_rows or (theirs.job.shard_rows if theirs else usual)
    ours = _job_file(job, resolved, shard_rows)
    if theirs is None:
        plan = make_plan(job.inputs, job.columns, shard_rows, job.storage)
    else:
        plan = _extended_plan(job, theirs, ours, output, committed)
    data = plan_to_bytes(plan)
    _write_plan(output, plan, before, data)
    save_job_file(output, ours)
    left = remaining(plan, committed, output)
    if not left.nothing:
        before_plan = theirs.plan if theirs else None
        _clean(output, committed, plan, plan if data == before else before_plan)
    return Prepared(job, resolved, plan, plan_digest(data), output, len(committed), left)


def plan_digest(data: bytes) -> str:
    """What tells one plan.parquet from another."""
    return hashlib.sha256(data).hexdigest()


def _located(job: Job) -> Job:
    """The job with absolute paths: workers and later commands may run in other folders."""
    preprocessor = job.encoder.preprocessor
    encoder = replace(
        job.encoder,
        model=absolute(job.encoder.model),
        preprocessor=None if preprocessor is None else absolute(preprocessor),
    )
    inputs = tuple(map(absolute, job.inputs))
    return replace(job, inputs=inputs, output=absolute(job.output).rstrip("/"), encoder=encoder)


def _committed_to(output: Output, inputs: Collection[str]) -> frozenset[Unit]:
    """The units in the output. Refuses a place where shards cannot lie, or would be taken for something else."""
    if output.storage.exists(output.uri):
        raise UsageError(f"-o {output.uri}: a file; name a folder")
    if inside := [uri for uri in inputs if output.uri.startswith(f"{uri.rstrip('/')}/")]:
        raise UsageError(f"-o {output.uri}: lies inside the input {inside[0]}; choose a folder beside it")
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


def _extended_plan(job: Job, theirs: Planned, ours: JobFile, output: Output, committed: Collection[Unit]) -> Plan:
    """The plan that the output's shards follow, with the input's new files; refuses what does not fit them."""
    if told := difference(theirs.job, ours):
        raise UsageError(f"-o {output.uri}: made otherwise: {told}; use the same options, or another folder")
    with_shards = {unit.file for unit in committed}
    return extend_plan(theirs.plan, job.inputs, job.columns, job.storage, with_shards)


def _write_plan(output: Output, plan: Plan, before: bytes | None, data: bytes) -> None:
    """Writes plan.parquet, unless a run beside this one has written another meanwhile."""
    if shards := [file.uri for file in plan.files if file.uri.startswith(f"{output.uri}/")]:
        raise UsageError(f"-o {output.uri}: the input has files of the output, such as {shards[0]}; leave them out")
    if data == before:
        return
    if output.storage.read_if_there(output.plan_uri) != before:
        raise EncorpusError(f"{output.plan_uri}: another run has changed it; run the same command again")
    output.storage.write_atomic(output.plan_uri, data)


def _clean(output: Output, committed: Collection[Unit], plan: Plan, before: Plan | None) -> None:
    """Removes what a killed run left: half-written files, an outdated manifest, rejects that nothing will replace.

    A unit that is made again replaces or removes its own rejects, if its file is planned as before.
    """
    output.storage.sweep(output.uri)
    output.storage.sweep(output.state_uri)
    output.storage.sweep(output.rejects_folder)
    output.storage.delete(output.manifest_uri)
    known = before.files if before else ()
    same = {file.number for file, old in zip(plan.files, known, strict=False) if file == old}
    for unit in output.rejected():
        if unit not in committed and unit.file not in same:
            output.storage.delete(output.rejects_uri(unit))
