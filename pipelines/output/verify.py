"""Proves from the files alone that an output is whole: nothing lost, nothing doubled, nothing damaged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import numpy as np

from pipelines.corpus.plan_types import FileState, Unit
from pipelines.errors import StorageError
from pipelines.output.check_files import (
    check_complete,
    check_dimensions,
    check_listing,
    check_plan,
    check_retired,
    check_streams,
    what_is_missing,
)
from pipelines.output.check_input import check_input
from pipelines.output.check_manifest import MANIFEST, check_manifest
from pipelines.output.check_sample import Sampling, check_sample, choose_rows
from pipelines.output.check_shard import ShardReport, check_shard
from pipelines.output.layout import Listing, Output
from pipelines.output.manifest import load_manifest
from pipelines.output.planned import Planned, load_planned, refuse_other_encoder, units_of_plan
from pipelines.output.repeated_ids import repeated_ids
from pipelines.output.violation import Violation
from pipelines.pool_map import pool_map

# Each has a shard in memory.
SHARDS_AT_ONCE = 4


# What is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Verification:
    """What was looked at, and what is wrong with it; the output is proven when there are no violations.

    shards, rows, documents, rejects, bytes: of the shards that could be read. sampled: rows that were embedded again.
    """

    shards: int
    rows: int
    documents: int
    rejects: int
    bytes: int
    sampled: int
    violations: tuple[Violation, ...]


def verify(
    output: Output,
    with_input: bool = False,
    deep: Sampling | None = None,
    on_progress: Progress = lambda what, done, of: None,
) -> Verification:
    """Reads every shard once and checks it against plan, job, rejects, manifest and the other shards.

    with_input: reads the corpus again too, and compares its rows with the shards' rows. deep: looks for repeated ids
    and zero vectors too, and embeds some rows again.

    Raises UsageError when there is no output of encorpus or `deep` has another encoder than it, StorageError when its
    plan or job.json cannot be read.
    """
    planned = load_planned(output)
    if deep is not None:
        refuse_other_encoder(planned, output, deep.fingerprint)
    listing = output.listing()
    reports, repeated = _check_shards(planned, output, listing, deep is not None, on_progress)
    violations = [*_violations(planned, output, listing, reports), *repeated]
    if with_input:
        whole = [report.unit for report in reports if report.info is not None]
        violations += check_input(planned, output, whole, partial(on_progress, "parts of the input compared"))
    sampled = 0
    if deep is not None:
        chosen = _sample(planned, reports, deep)
        on_unit = partial(on_progress, "sampled shards embedded again")
        sample = check_sample(planned, output, chosen, deep.encode, on_unit)
        sampled = sample.embedded
        violations += sample.violations
    infos = [report.info for report in reports if report.info is not None]
    return Verification(
        shards=len(infos),
        rows=sum(info.rows for info in infos),
        documents=sum(info.documents for info in infos),
        rejects=sum(info.rejects for info in infos),
        bytes=sum(info.bytes for info in infos),
        sampled=sampled,
        violations=tuple(dict.fromkeys(violations)),
    )


def _check_shards(
    planned: Planned, output: Output, listing: Listing, deep: bool, on_progress: Progress
) -> tuple[list[ShardReport], list[Violation]]:
    """The shards' reports, in order, and the repeated ids in each file, whose digests are not kept any longer."""
    rejected = output.rejected()
    units = units_of_plan(planned.plan, listing.units)
    reports: list[ShardReport] = []
    repeated: list[Violation] = []
    checked = pool_map(lambda unit: check_shard(planned, output, unit, unit in rejected, deep), units, SHARDS_AT_ONCE)
    for _, of_one_file in groupby(checked, key=lambda report: report.unit.file):
        digests: dict[Unit, np.ndarray] = {}
        for report in of_one_file:
            if report.ids is not None:
                digests[report.unit] = report.ids
            reports.append(replace(report, ids=None))
            on_progress("shards read", len(reports), len(units))
        repeated += repeated_ids(list(digests), list(digests.values()))
    return reports, repeated


def _sample(planned: Planned, reports: list[ShardReport], deep: Sampling) -> dict[Unit, np.ndarray]:
    """Rows of the shards that nothing else is wrong with, and whose input has not vanished."""
    current = {file.number for file in planned.plan.live if file.state is FileState.CURRENT}
    sound = [report for report in reports if not report.violations and report.unit.file in current]
    sizes = {report.unit: report.info.rows for report in sound if report.info is not None}
    return choose_rows(list(sizes), list(sizes.values()), deep.rows, deep.seed)


def _violations(planned: Planned, output: Output, listing: Listing, reports: list[ShardReport]) -> Iterator[Violation]:
    left = what_is_missing(planned.plan, reports)
    yield from check_plan(planned.plan)
    yield from check_complete(left)
    yield from check_listing(planned.plan, listing)
    for report in reports:
        yield from report.violations
    yield from check_streams(planned.plan, reports)
    yield from check_dimensions(reports)
    try:
        manifest = load_manifest(output)
    except StorageError as error:
        yield Violation(MANIFEST, str(error))
        return
    present = manifest is not None and manifest.plan == planned.digest
    # The manifest of an earlier plan stays in place until a run comes to its end, and so do the shards that it lists.
    if present or left.nothing:
        infos = {report.unit.name: report.info for report in reports}
        yield from check_manifest(manifest, infos, planned.digest, planned.job.fingerprint)
    if present:
        yield from check_retired(planned.plan, listing)
