"""What an output still lacks of its plan, told by names and by one footer a streamed file."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pipelines.corpus.plan_types import CorpusFile, Plan, Unit
from pipelines.output.footers import read_footers
from pipelines.output.layout import Output


@dataclass(frozen=True)
class Remaining:
    """units: missing ones of files that were cut up front. streams: streamed files that are not finished, each
    with the slices that are there. planned: all units, None while the length of a stream is unknown."""

    units: tuple[Unit, ...]
    streams: tuple[tuple[CorpusFile, tuple[int, ...]], ...]
    planned: int | None

    @property
    def nothing(self) -> bool:
        """Whether the output is complete."""
        return not self.units and not self.streams


def remaining(plan: Plan, committed: Collection[Unit], output: Output, listed: Iterable[Unit] = ()) -> Remaining:
    """Compares plan and output in O(units); reads the footer of each streamed file's last slice.

    listed: the units of a manifest of this plan, or of the one that it extends. It was written when nothing was
    missing, so where a streamed file's last slice is the last one listed, the file is finished, and no footer is read.

    Raises StorageError when a footer cannot be read.
    """
    ends = possible_ends(plan, committed)
    last = {unit.file: unit for unit in sorted(listed)}
    known = {unit for unit in ends if last.get(unit.file) == unit}
    unknown = [unit for unit in ends if unit not in known]
    infos = read_footers(output, unknown)
    return missing(plan, committed, known | {unit for unit, info in zip(unknown, infos, strict=True) if info.last})


def possible_ends(plan: Plan, committed: Collection[Unit]) -> list[Unit]:
    """The highest unit of each streamed file whose committed slices have no gap: it may be the file's last."""
    streams = _units_of_streams(plan, committed).values()
    return [units[-1] for units in streams if units and units[-1].slice == len(units) - 1]


def missing(plan: Plan, committed: Collection[Unit], ends: Collection[Unit]) -> Remaining:
    """What is missing, given which of `possible_ends` are indeed the last of their files."""
    finished = {unit.file for unit in ends}
    of_streams = _units_of_streams(plan, committed)
    streams = tuple(
        (plan.files[number], tuple(unit.slice for unit in units))
        for number, units in of_streams.items()
        if number not in finished
    )
    planned = sum(map(len, of_streams.values())) + sum(file.slices or 0 for file in plan.live)
    return Remaining(
        units=tuple(unit for unit in plan.units() if unit not in committed),
        streams=streams,
        planned=None if streams else planned,
    )


def _units_of_streams(plan: Plan, committed: Collection[Unit]) -> dict[int, list[Unit]]:
    """The committed units of each streamed file, by its number, both in order."""
    units: dict[int, list[Unit]] = {file.number: [] for file in plan.live if file.streamed}
    for unit in sorted(unit for unit in committed if unit.file in units):
        units[unit.file].append(unit)
    return units
