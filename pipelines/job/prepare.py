"""Before the work: settles spec, plan and job.json, and finds what is missing from the output.

The output alone decides what is left to do: one listing, and a footer for each streamed file.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace

from pipelines.corpus.plan import (
    Columns,
    Plan,
    Unit,
    check_unchanged,
    extend_plan,
    make_plan,
    plan_from_bytes,
    plan_to_bytes,
)
from pipelines.encoder.spec import EncoderSpec, ResolvedSpec, resolve_spec
from pipelines.errors import UsageError
from pipelines.local_files import absolute
from pipelines.output.job_file import JobFile, difference, load_job_file, save_job_file
from pipelines.output.layout import Output
from pipelines.output.remaining import Remaining, remaining
from pipelines.storage import Storage
from pipelines.version import encorpus_version

# Small units show up soon and lose little to a crash; on a GPU a unit of this many rows takes seconds.
CPU_SHARD_ROWS = 1000
GPU_SHARD_ROWS = 50_000


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

    @property
    def default_shard_rows(self) -> int:
        """Rows of a unit, about, where nobody says how many."""
        return GPU_SHARD_ROWS if self.gpus_per_worker else CPU_SHARD_ROWS


@dataclass(frozen=True)
class Prepared:
    """A job that can start: its plan is written, and what is missing is known. committed: units already there."""

    job: Job
    resolved: ResolvedSpec
    plan: Plan
    output: Output
    committed: int
    remaining: Remaining


def prepare(job: Job) -> Prepared:
    """Makes or extends the plan, checks that the output is this job's, and writes plan and job.json.

    Raises UsageError when the output belongs to another spec, InputChangedError when a planned file changed.
    """
    job = _located(job)
    resolved = resolve_spec(job.encoder, job.storage.options)
    output = Output(job.output, job.storage)
    _require_folder(output)
    committed = output.committed()
    theirs = _job_of_shards(output) if committed else None
    shard_rows = job.shard_rows or (theirs.shard_rows if theirs else job.default_shard_rows)
    ours = _job_file(job, resolved, shard_rows)
    plan = (
        _extended_plan(job, theirs, ours, output)
        if theirs
        else make_plan(job.inputs, job.columns, shard_rows, job.storage)
    )
    job.storage.write_atomic(output.plan_uri, plan_to_bytes(plan))
    save_job_file(output, ours)
    left = remaining(plan, committed, output)
    if not left.nothing:
        _clean(output, committed)
    return Prepared(job, resolved, plan, output, len(committed), left)


def _located(job: Job) -> Job:
    """The job with absolute paths: workers and later commands may run in other folders."""
    preprocessor = job.encoder.preprocessor
    encoder = replace(
        job.encoder,
        model=absolute(job.encoder.model),
        preprocessor=None if preprocessor is None else absolute(preprocessor),
    )
    return replace(job, output=absolute(job.output), encoder=encoder)


def _require_folder(output: Output) -> None:
    if output.storage.exists(output.uri):
        raise UsageError(f"-o {output.uri}: a file; name a folder")


def _job_file(job: Job, resolved: ResolvedSpec, shard_rows: int) -> JobFile:
    return JobFile(
        encoder=resolved.describe(),
        fingerprint=resolved.fingerprint,
        columns={**asdict(job.columns), "keep": list(job.columns.keep)},
        shard_rows=shard_rows,
        inputs=list(job.inputs),
        encorpus_version=encorpus_version(),
    )


def _job_of_shards(output: Output) -> JobFile:
    theirs = load_job_file(output)
    if theirs is None:
        raise UsageError(f"-o {output.uri}: holds shards, but no job.json; choose another folder")
    return theirs


def _extended_plan(job: Job, theirs: JobFile, ours: JobFile, output: Output) -> Plan:
    """The plan that the output's shards follow, with the input's new files; refuses what does not fit them."""
    if told := difference(theirs, ours):
        raise UsageError(f"-o {output.uri}: made otherwise: {told}; use the same options, or another folder")
    plan = plan_from_bytes(output.storage.read_bytes(output.plan_uri))
    check_unchanged(plan, job.storage)
    return extend_plan(plan, job.inputs, job.columns, job.storage)


def _clean(output: Output, committed: Collection[Unit]) -> None:
    """Removes what a killed run left: half-written files, rejects of units without a shard, an outdated manifest."""
    output.storage.sweep(output.uri)
    output.storage.sweep(output.state_uri)
    output.storage.sweep(output.rejects_folder)
    for unit in output.rejected() - frozenset(committed):
        output.storage.delete(output.rejects_uri(unit))
    output.storage.delete(output.manifest_uri)
