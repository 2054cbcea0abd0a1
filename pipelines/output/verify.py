"""Proves from the files alone that an output is whole: nothing lost, nothing doubled, nothing damaged."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.errors import StorageError
from pipelines.output.check_files import (
    check_complete,
    check_dimensions,
    check_listing,
    check_plan,
    check_streams,
    what_is_missing,
)
from pipelines.output.check_input import check_input
from pipelines.output.check_manifest import MANIFEST, check_manifest
from pipelines.output.check_shard import ShardReport, check_shard
from pipelines.output.layout import Listing, Output
from pipelines.output.manifest import load_manifest
from pipelines.output.planned import Planned, load_planned, units_of_plan
from pipelines.output.violation import Violation
from pipelines.pool_map import pool_map

# Each has a shard in memory.
SHARDS_AT_ONCE = 4


@dataclass(frozen=True)
class Verification:
    """What was looked at, and what is wrong with it; the output is proven when there are no violations.

    shards, rows, rejects, bytes: of the shards that could be read.
    """

    shards: int
    rows: int
    rejects: int
    bytes: int
    violations: tuple[Violation, ...]


def verify(output: Output, with_input: bool = False) -> Verification:
    """Reads every shard once and checks it against plan, job, rejects, manifest and the other shards.

    with_input: reads the corpus again too, and compares its rows with the shards' rows.

    Raises UsageError when there is no output of encorpus, StorageError when its plan or job.json cannot be read.
    """
    planned = load_planned(output)
    listing = output.listing()
    rejected = output.rejected()
    units = units_of_plan(planned.plan, listing.units)
    reports = list(pool_map(lambda unit: check_shard(planned, output, unit, unit in rejected), units, SHARDS_AT_ONCE))
    violations = list(_violations(planned, output, listing, reports))
    if with_input:
        whole = [report.unit for report in reports if report.info is not None]
        violations += check_input(planned, output, whole)
    infos = [report.info for report in reports if report.info is not None]
    return Verification(
        shards=len(infos),
        rows=sum(info.rows for info in infos),
        rejects=sum(info.rejects for info in infos),
        bytes=sum(info.bytes for info in infos),
        violations=tuple(violations),
    )


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
    if manifest is not None or left.nothing:
        infos = {report.unit.name: report.info for report in reports}
        yield from check_manifest(manifest, infos, planned.job.fingerprint)
