"""The part of what is missing that a run with a limit does."""

from dataclasses import replace
from itertools import pairwise

from pipelines.corpus.plan import Plan, Unit
from pipelines.output.remaining import Remaining


def first_part(left: Remaining, plan: Plan, rows: int) -> Remaining:
    """The first missing units worth so many rows; streamed files only where those of cut files are worth less.

    A unit is worth its rows where the plan knows them (Parquet), else by its share of the bytes of the file's
    largest, which has those that a unit has at most, about.
    """
    units: list[Unit] = []
    worth = 0
    for unit in left.units:
        if worth >= rows:
            break
        units.append(unit)
        worth += _rows_of(plan, unit)
    return replace(left, units=tuple(units), streams=left.streams if worth < rows else ())


def _rows_of(plan: Plan, unit: Unit) -> int:
    file = plan.files[unit.file]
    if file.bounds is None:
        return plan.shard_rows
    width = file.bounds[unit.slice + 1] - file.bounds[unit.slice]
    if file.format == "parquet":
        return width
    widest = max(after - before for before, after in pairwise(file.bounds))
    return round(plan.shard_rows * width / max(widest, 1))
