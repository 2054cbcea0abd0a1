"""Before the work: settles the plan, and finds what is missing from the output.

The output alone decides what is left to do: one listing, and a footer for each streamed file that no manifest tells of.
"""

from dataclasses import dataclass, replace

from pipelines.corpus.changes import Changes, change_of
from pipelines.corpus.extend import extend_plan, update_plan
from pipelines.corpus.first_units import with_small_first_units
from pipelines.corpus.inputs import identity
from pipelines.corpus.plan import FileState, Plan, Unit, make_plan, plan_digest, plan_to_bytes
from pipelines.encoder.spec import ResolvedSpec
from pipelines.errors import InputChangedError, UsageError
from pipelines.job.found import Found, look_for
from pipelines.job.job import Job
from pipelines.job.shard_rows import begins_small
from pipelines.output.job_file import job_to_bytes
from pipelines.output.layout import Output
from pipelines.output.manifest import Manifest
from pipelines.output.other_runs import refuse_new_shards, replace_known
from pipelines.output.planned import units_of_plan, units_of_retired
from pipelines.output.remaining import Remaining, remaining


@dataclass(frozen=True)
class Prepared:
    """A job that can start: its plan is written, and what is missing is known.

    plan_digest: of plan.parquet. changes: of the input, that an update took over. committed: how many units are there
    and stay. replaced: those of the missing ones whose shards make way. retired: those there of retired files.
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
    replaced: frozenset[Unit]
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
        if begins_small(found.job_file.shard_rows, found.resolved.pooling, job.gpus_per_worker):
            plan = with_small_first_units(plan)
    elif job.update:
        given = found.planned.plan, job.inputs, job.columns, job.storage, found.with_shards
        plan, changes = update_plan(*given, prune=job.prune)
    else:
        plan = extend_plan(found.planned.plan, job.inputs, job.columns, job.storage, found.with_shards)
    return take_over(found, plan, changes)


def take_over(found: Found, plan: Plan, changes: Changes, replaced: frozenset[Unit] = frozenset()) -> Prepared:
    """Makes the output one of this plan: writes plan.parquet and job.json, and removes what killed runs left there.

    Tells what is missing; the shards of the units in `replaced` do not count. Raises InputChangedError, with nothing
    written, where that cannot be made any more, UsageError where the plan holds shards of the output itself,
    EncorpusError where another run makes the output its own.
    """
    output, manifest = found.output, found.manifest
    committed = frozenset(units_of_plan(plan, found.shards)) - replaced
    left = _missing(found, plan, committed)
    _refuse_what_cannot_be_made(found, plan, changes, left)
    data = plan_to_bytes(plan)
    if not left.nothing and manifest is not None and manifest.plan == plan_digest(data):
        # Shards will be made that this manifest does not know: from now on it is one of before.
        data = plan_to_bytes(plan := replace(plan, revision=plan.revision + 1))
    if data != found.plan_bytes:
        _refuse_own_shards(output, plan)
        _refuse_shards_of_other_cuts(found, plan)
    twin = replace_known(output.storage, output.plan_uri, found.plan_bytes, data)
    replace_known(output.storage, output.job_uri, found.job_bytes, job_to_bytes(found.job_file))
    # Of a run of the same command that is at work, nothing is removed.
    if not left.nothing and not twin:
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
        replaced=replaced,
        retired=tuple(units_of_retired(plan, found.shards)),
        manifest=manifest if manifest is not None and manifest.plan == plan_digest(data) else None,
    )


def _missing(found: Found, plan: Plan, committed: frozenset[Unit]) -> Remaining:
    """What the output lacks of the plan. The manifest tells of streamed files' ends, if it is of the plan before."""
    manifest, planned = found.manifest, found.planned
    listed = manifest.listed if manifest and planned and manifest.plan == planned.digest else ()
    return remaining(plan, committed, found.output, listed)


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


def _refuse_own_shards(output: Output, plan: Plan) -> None:
    """No shard is embedded, by whatever links the inputs reach it."""
    own = f"{identity(output.uri)}/"
    if shards := [file.uri for file in plan.live if identity(file.uri).startswith(own)]:
        raise UsageError(f"-o {output.uri}: the input has files of the output, such as {shards[0]}; leave them out")


def _refuse_shards_of_other_cuts(found: Found, plan: Plan) -> None:
    """A run at work with the plan that is to be replaced may have begun a file meanwhile that this plan cuts anew."""
    if found.plan_bytes is None:
        return
    before = found.planned.plan.files if found.planned else ()
    kept = {old.number for old, file in zip(before, plan.files, strict=False) if replace(old, state=file.state) == file}
    if not before or len(kept) < len(before):
        refuse_new_shards(found.output, found.shards, kept)


def _clean(found: Found, plan: Plan, before: Plan | None) -> None:
    """Removes what a killed run left: half-written files, and rejects that nothing will replace.

    A unit that is made again replaces or removes its own rejects, if its file is planned as before. The manifest stays
    for its readers, as long as there are shards that it may list.
    """
    output = found.output
    output.sweep()
    if not found.shards:
        output.storage.delete(output.manifest_uri)
    known = before.files if before else ()
    same = {file.number for file, old in zip(plan.files, known, strict=False) if file == old}
    for unit in output.rejected():
        if unit not in found.shards and unit.file not in same:
            output.storage.delete(output.rejects_uri(unit))
