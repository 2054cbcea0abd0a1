"""Before the work: settles the plan, and finds what is missing from the output.

The output alone decides what is left to do: one listing, and a footer for each streamed file that no manifest tells of.
"""

from dataclasses import dataclass, replace

from pipelines.corpus.changes import Changes, change_of
from pipelines.corpus.extend import extend_plan, update_plan
from pipelines.corpus.plan import FileState, Plan, Unit, make_plan, plan_digest, plan_to_bytes
from pipelines.encoder.spec import ResolvedSpec
from pipelines.errors import EncorpusError, InputChangedError, UsageError
from pipelines.job.found import Found, look_for
from pipelines.job.job import Job
from pipelines.output.job_file import save_job_file
from pipelines.output.layout import Output
from pipelines.output.manifest import Manifest
from pipelines.output.planned import units_of_plan, units_of_retired
from pipelines.output.remaining import Remaining, remaining


@dataclass(frozen=True)
class Prepared:
    """A job that can start: its plan is written, and what is missing is known.

    plan_digest: of plan.parquet. changes: of the input, that an update took over. committed: how many units are there
    and stay. again: those of the missing ones whose shards are to be replaced. retired: those there of retired files.
    manifest: of the present plan, None where it has to be written.
    """

    job: Job
    resolved: ResolvedSpec
    plan: Plan
    plan_digest: str
    output: Output
    changes: Changes
    committed: int
    remaining: Remaining
    again: frozenset[Unit]
    retired: tuple[Unit, ...]
    manifest: Manifest | None


def prepare(job: Job) -> Prepared:
    """Checks that the output is this job's, and settles plan and job.json.

    Raises UsageError when the output belongs to another spec or cannot be one, InputChangedError when a planned
    file changed, and the job is no update.
    """
    return settle(look_for(job))


def settle(found: Found) -> Prepared:
    """Makes, extends or updates the plan. Raises InputChangedError as `prepare` does."""
    job, changes = found.job, Changes()
    if found.planned is None:
        plan = make_plan(job.inputs, job.columns, found.job_file.shard_rows, job.storage)
    elif job.update:
        given = found.planned.plan, job.inputs, job.columns, job.storage, found.with_shards
        plan, changes = update_plan(*given, prune=job.prune)
    else:
        plan = extend_plan(found.planned.plan, job.inputs, job.columns, job.storage, found.with_shards)
    return begin(found, plan, changes)


def begin(found: Found, plan: Plan, changes: Changes, again: frozenset[Unit] = frozenset()) -> Prepared:
    """Writes the plan, and says what of it is missing; the shards of the units in `again` do not count."""
    output = found.output
    committed = frozenset(units_of_plan(plan, found.shards)) - again
    data = plan_to_bytes(plan)
    manifest = found.manifest
    told = manifest is not None and manifest.plan in (plan_digest(data), found.planned and found.planned.digest)
    left = remaining(plan, committed, output, manifest.listed if manifest is not None and told else ())
    _refuse_what_cannot_be_made(found, plan, changes, left)
    if not left.nothing and manifest is not None and manifest.plan == plan_digest(data):
        # Shards will be made that this manifest does not know: from now on it is one of before.
        data = plan_to_bytes(plan := replace(plan, revision=plan.revision + 1))
    _write_plan(found, plan, data)
    save_job_file(output, found.job_file)
    if not left.nothing:
        before = found.planned.plan if found.planned else None
        _clean(found, plan, plan if data == found.plan_bytes else before)
    return Prepared(
        job=found.job,
        resolved=found.resolved,
        plan=plan,
        plan_digest=plan_digest(data),
        output=output,
        changes=changes,
        committed=len(committed),
        remaining=left,
        again=again,
        retired=tuple(units_of_retired(plan, found.shards)),
        manifest=manifest if manifest is not None and manifest.plan == plan_digest(data) else None,
    )


def _refuse_what_cannot_be_made(found: Found, plan: Plan, changes: Changes, left: Remaining) -> None:
    """Nothing is written while units are missing of a file that is kept, but is not there, or is another one now."""
    doubtful = {file.number for file in plan.live if file.state is FileState.VANISHED}
    doubtful |= {*changes.changed, *(file.number for file in changes.vanished)}
    missing = dict.fromkeys([*(unit.file for unit in left.units), *(file.number for file, _ in left.streams)])
    for number in missing:
        if number in doubtful and (change := change_of(plan.files[number], found.job.storage)):
            raise InputChangedError(
                f"{plan.files[number].uri} {change} since the plan was made, and not all of it is embedded; restore "
                "it, or run embed with --update, and with --prune for a file that is gone"
            )


def _write_plan(found: Found, plan: Plan, data: bytes) -> None:
    """Writes plan.parquet, unless a run beside this one has written another meanwhile."""
    output = found.output
    if shards := [file.uri for file in plan.live if file.uri.startswith(f"{output.uri}/")]:
        raise UsageError(f"-o {output.uri}: the input has files of the output, such as {shards[0]}; leave them out")
    if data == found.plan_bytes:
        return
    if output.storage.read_if_there(output.plan_uri) not in (found.plan_bytes, data):
        raise EncorpusError(f"{output.plan_uri}: another run has changed it; run the same command again")
    output.storage.write_atomic(output.plan_uri, data)


def _clean(found: Found, plan: Plan, before: Plan | None) -> None:
    """Removes what a killed run left: half-written files, and rejects that nothing will replace.

    A unit that is made again replaces or removes its own rejects, if its file is planned as before. The manifest stays
    for its readers, as long as there are shards that it may list.
    """
    output = found.output
    output.storage.sweep(output.uri, output.state_uri, output.rejects_folder)
    if not found.shards:
        output.storage.delete(output.manifest_uri)
    known = before.files if before else ()
    same = {file.number for file, old in zip(plan.files, known, strict=False) if file == old}
    for unit in output.rejected():
        if unit not in found.shards and unit.file not in same:
            output.storage.delete(output.rejects_uri(unit))
