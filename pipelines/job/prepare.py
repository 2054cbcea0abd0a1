"""Before the work: settles spec, plan and job.json, and finds what is missing from the output.

The output alone decides what is left to do: one listing, and the footers of the streamed files' shards.
"""

import math
from dataclasses import dataclass, field

from pipelines.corpus.plan import Columns, Plan, check_unchanged, extend_plan, make_plan, plan_from_bytes, plan_to_bytes
from pipelines.encoder.spec import EncoderSpec, ResolvedSpec, pinned, resolve_spec
from pipelines.errors import UsageError
from pipelines.job.tasks import Task
from pipelines.job.worker import WorkOrder
from pipelines.output.job_file import JobFile, difference, load_job_file, save_job_file
from pipelines.output.layout import Output
from pipelines.output.remaining import Remaining, remaining
from pipelines.storage import Storage

# Small units show up soon and lose little to a crash; on a GPU a unit of this many rows takes seconds.
CPU_SHARD_ROWS = 1000
GPU_SHARD_ROWS = 50_000


@dataclass(frozen=True)
class Job:
    """What to embed, with what, to where, by how many workers.

    workers: least and most, None for one a CPU core (or GPU). shard_rows: rows of a unit, about; None for the
    default of the device. address: of a Ray cluster, None for this machine. on_bad_row: reject or fail.
    """

    inputs: tuple[str, ...]
    output: str
    encoder: EncoderSpec
    columns: Columns = field(default_factory=lambda: Columns(text="text", id=None, keep=()))
    shard_rows: int | None = None
    workers: tuple[int, int] | None = None
    gpus_per_worker: float = 0.0
    address: str | None = None
    on_bad_row: str = "reject"
    storage: Storage = field(default_factory=Storage)


@dataclass(frozen=True)
class Prepared:
    """A job that can start: its plan is written, and what is missing is known."""

    job: Job
    resolved: ResolvedSpec
    plan: Plan
    output: Output
    remaining: Remaining


def prepare(job: Job) -> Prepared:
    """Makes or extends the plan, checks that the output is this job's, and writes plan and job.json.

    Raises UsageError when the output belongs to another spec, InputChangedError when a planned file changed.
    """
    resolved = resolve_spec(job.encoder, job.storage.options)
    output = Output(job.output, job.storage)
    committed = output.committed()
    job_file = _job_file(job, resolved)
    if committed:
        plan = _plan_so_far(job, job_file, output)
    else:
        plan = make_plan(job.inputs, job.columns, job_file.shard_rows, job.storage)
        job.storage.write_atomic(output.plan_uri, plan_to_bytes(plan))
    save_job_file(output, job_file)
    return Prepared(job, resolved, plan, output, remaining(plan, committed, output))
