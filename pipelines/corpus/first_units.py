"""A plan whose first units are small, so that there is something to see of a job soon after its start."""

from dataclasses import replace

from pipelines.corpus.plan_types import CorpusFile, Plan

# As many units as one would be, where there are so many: of fewer ones, each worker may have only one.
PIECES = 8
LEAST_SLICES = 16


def with_small_first_units(plan: Plan) -> Plan:
    """The plan with the first slice of its first file cut into smaller ones, if that file has many."""
    return replace(plan, files=(_cut(plan.files[0]), *plan.files[1:])) if plan.files else plan


def _cut(file: CorpusFile) -> CorpusFile:
    if file.bounds is None or file.error is not None or len(file.bounds) - 1 < LEAST_SLICES:
        return file
    start, stop, *rest = file.bounds
    pieces = min(PIECES, stop - start)
    first = (start + (stop - start) * piece // pieces for piece in range(pieces))
    return replace(file, bounds=(*first, stop, *rest))
