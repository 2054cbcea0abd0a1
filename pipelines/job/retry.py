"""Embeds again what was rejected, from the input as it is now, and nothing else."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pipelines.corpus.changes import CHANGED, GONE, Changes
from pipelines.corpus.extend import mend_plan
from pipelines.corpus.plan import Plan, Unit
from pipelines.errors import UsageError
from pipelines.job.embed import Summary, Workforce, pool, run
from pipelines.job.found import Found, look_for
from pipelines.job.job import Job
from pipelines.job.prepare import Prepared, take_over
from pipelines.job.progress import Snapshot
from pipelines.output.layout import Output
from pipelines.output.planned import Planned, load_planned, units_of_plan
from pipelines.output.status import rejects_by_reason


@dataclass(frozen=True)
class Retried:
    """What a retry came to.

    before, after: how many rejects there were and are, by reason. untouched: files of the corpus that are not as they
    were planned, but are none of its business: each with what has become of it. summary: of the run; None where there
    was nothing to do.
    """

    before: Mapping[str, int]
    after: Mapping[str, int]
    untouched: Mapping[str, str]
    summary: Summary | None


@dataclass(frozen=True)
class Due:
    """What a retry has to do. rejects, untouched: as Retried's `before` and `untouched`."""

    prepared: Prepared
    rejects: Mapping[str, int]
    untouched: Mapping[str, str]


def retry(
    job: Job,
    on_plan: Callable[[Prepared], None] = lambda prepared: None,
    on_progress: Callable[[Snapshot], None] = lambda snapshot: None,
    command: str | None = None,
    workforce: Workforce = pool,
) -> Retried:
    """Embeds the rejected rows of an output again, and whatever else an interrupted run left missing.

    job: what the output was made with. Files with rejects that changed, or can be read now, are planned anew under new
    numbers; of the others, the units with rejects are made again. on_plan, on_progress, command, workforce: as for
    `embed`.

    Raises UsageError when there is no output of encorpus, EncorpusError when the job cannot start or go on.
    """
    started = time.time()
    due = due_again(look_for(job))
    if due is None:
        return Retried({}, {}, {}, None)
    summary = run(due.prepared, started, on_plan, on_progress, command, workforce)
    return Retried(due.rejects, _rejects_now(due.prepared.output), due.untouched, summary)


def due_again(found: Found) -> Due | None:
    """Writes the plan of a retry, and says what is due; None where nothing is rejected, or left to do.

    Raises UsageError when there are no shards, InputChangedError when something is missing that cannot be made.
    """
    job = found.job
    if found.planned is None:
        raise UsageError(f"{job.output}: no shards are there, so nothing was rejected; run encorpus embed")
    rejected = found.output.rejected().intersection(units_of_plan(found.planned.plan, found.shards))
    if not rejected and _is_finished(found, found.planned):
        return None
    rejects = rejects_by_reason(found.output, rejected)
    files = {unit.file for unit in rejected}
    plan, changes = mend_plan(found.planned.plan, job.inputs, job.columns, job.storage, files)
    prepared = take_over(found, plan, changes, _to_make_again(plan, rejected, changes))
    return Due(prepared, rejects, _untouched(plan, changes))


def _is_finished(found: Found, planned: Planned) -> bool:
    """Whether the last run came to its end, and just the shards that its manifest lists are there."""
    manifest = found.manifest
    return manifest is not None and manifest.plan == planned.digest and found.shards == frozenset(manifest.listed)


def _to_make_again(plan: Plan, rejected: Collection[Unit], changes: Changes) -> frozenset[Unit]:
    """Those of the units with rejects whose file is there as it was planned, and can be read."""
    as_planned = {file.number for file in plan.live if file.error is None}
    as_planned -= {*changes.changed, *(file.number for file in changes.vanished)}
    return frozenset(unit for unit in rejected if unit.file in as_planned)


def _rejects_now(output: Output) -> Mapping[str, int]:
    return rejects_by_reason(output, units_of_plan(load_planned(output).plan, output.committed()))


def _untouched(plan: Plan, changes: Changes) -> dict[str, str]:
    """Files that changed or vanished and still are the plan's."""
    changed = [plan.files[number] for number in changes.changed if not plan.files[number].retired]
    return {file.uri: CHANGED for file in changed} | {file.uri: GONE for file in changes.vanished}
