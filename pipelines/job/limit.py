"""The part of what is missing that a run with a limit does."""

from dataclasses import replace

from pipelines.corpus.plan import Plan, Unit
from pipelines.output.remaining import Remaining


def first_part(left: Remaining, plan: Plan, rows: int) -> Remaining:
    """The first missing units worth so many rows; streamed files only where those of cut files are worth less.

    A unit is worth its rows where the plan knows them (Parquet), else those that a unit has at most, about.
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
    bounds = plan.files[unit.file].bounds
    if bounds is None or plan.files[unit.file].format != "parquet":
        return plan.shard_rows
    return bounds[unit.slice + 1] - bounds[unit.slice]
