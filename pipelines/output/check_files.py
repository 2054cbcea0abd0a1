"""Checks across shards: every unit of the plan is there, no other is, and slices follow each other without a gap."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pipelines.corpus.plan_types import CorpusFile, Plan
from pipelines.numbers import count
from pipelines.output.check_shard import ShardReport
from pipelines.output.layout import Listing
from pipelines.output.planned import units_of_plan, units_of_retired
from pipelines.output.remaining import Remaining, missing, possible_ends
from pipelines.output.violation import AGAIN, Violation

SHOWN = 3


def check_plan(plan: Plan) -> Iterator[Violation]:
    """The plan's slices tile its files."""
    for number, file in enumerate(plan.files):
        end = file.rows if file.format == "parquet" else file.size
        bounds = file.bounds
        tiles = bounds is None or (
            len(bounds) > 1 and bounds[0] == 0 and bounds[-1] == end and all(a <= b for a, b in pairwise(bounds))
        )
        if file.number != number or (file.error is None and not tiles):
            yield Violation(
                "_encorpus/plan.parquet", f"its slices of {file.uri} do not cover that file; put the right plan back"
            )


def check_listing(plan: Plan, listing: Listing) -> Iterator[Violation]:
    """Nothing lies among the shards that the plan does not know, for readers would take it for rows."""
    for name in listing.strangers:
        yield Violation(name, "not a shard of this output; move it away")
    planned, retired = units_of_plan(plan, listing.units), units_of_retired(plan, listing.units)
    for unit in sorted(listing.units.difference(planned, retired)):
        yield Violation(
            f"{unit.name}.parquet", "no unit of the plan is called so, it is left from another job; delete it"
        )


def check_retired(plan: Plan, listing: Listing) -> Iterator[Violation]:
    """Of files that were replaced or pruned nothing is left, once the manifest is of the plan."""
    for unit in units_of_retired(plan, listing.units):
        uri = plan.files[unit.file].uri
        yield Violation(f"{unit.name}.parquet", f"of {uri}, which was replaced or pruned; {AGAIN} to delete it")


def what_is_missing(plan: Plan, reports: Sequence[ShardReport]) -> Remaining:
    """What the checked shards leave missing. A damaged shard counts as there: it is a violation of its own."""
    committed = {report.unit: report for report in reports}
    ends = possible_ends(plan, committed)
    return missing(plan, committed, [unit for unit in ends if (info := committed[unit].info) is None or info.last])


def check_complete(left: Remaining) -> Iterator[Violation]:
    """Nothing is missing."""
    parts: list[str] = []
    if left.units:
        shown = _some([unit.name for unit in left.units])
        parts.append(f"{count(len(left.units), 'unit')} without a shard ({shown})")
    if left.streams:
        shown = _some([f"{file.uri}, {count(len(done), 'slice')} so far" for file, done in left.streams])
        parts.append(f"{count(len(left.streams), 'streamed file')} not finished ({shown})")
    if parts:
        yield Violation("the output", f"{' and '.join(parts)}; {AGAIN} to finish")


def check_streams(plan: Plan, reports: Sequence[ShardReport]) -> Iterator[Violation]:
    """The slices of a streamed file begin at 0, follow each other, and only the highest says that it is the last."""
    slices: defaultdict[int, list[ShardReport]] = defaultdict(list)
    for report in sorted(reports, key=lambda report: report.unit):
        if plan.files[report.unit.file].streamed:
            slices[report.unit.file].append(report)
    for number, found in slices.items():
        yield from _check_stream(plan.files[number], found)


def check_dimensions(reports: Sequence[ShardReport]) -> Iterator[Violation]:
    """All vectors of the output are of one length: that of most shards."""
    dimensions = Counter(report.info.dimension for report in reports if report.info is not None)
    if len(dimensions) < 2:
        return
    usual = dimensions.most_common(1)[0][0]
    for report in reports:
        if report.info is not None and report.info.dimension != usual:
            what = f"its vectors have {report.info.dimension} numbers, those of other shards {usual}"
            yield Violation(f"{report.unit.name}.parquet", what)


def _check_stream(file: CorpusFile, reports: Sequence[ShardReport]) -> Iterator[Violation]:
    first = reports[0]
    if first.unit.slice == 0 and first.info is not None and first.info.start != 0:
        yield Violation(f"{first.unit.name}.parquet", f"begins at {first.info.start} of {file.uri}, not at 0")
    for before, after in pairwise(reports):
        name = f"{after.unit.name}.parquet"
        if before.info is None:
            continue
        if before.info.last:
            yield Violation(name, f"comes after {before.unit.name}, which says that it is the last slice of {file.uri}")
        adjacent = before.unit.slice + 1 == after.unit.slice
        if adjacent and after.info is not None and after.info.start != before.info.stop:
            what = f"begins at {after.info.start} of {file.uri}, where {before.unit.name} ends at {before.info.stop}"
            yield Violation(name, what)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
