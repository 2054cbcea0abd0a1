"""What an output still lacks of its plan, told by names and by one footer a streamed file."""

from collections import defaultdict
from collections.abc import Collection
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


def remaining(plan: Plan, committed: Collection[Unit], output: Output) -> Remaining:
    """Compares plan and output in O(units); reads the footer of each streamed file's last slice.

    Raises StorageError when such a footer cannot be read.
    """
    ends = possible_ends(plan, committed)
    infos = read_footers(output, ends)
    return missing(plan, committed, {unit for unit, info in zip(ends, infos, strict=True) if info.last})


def possible_ends(plan: Plan, committed: Collection[Unit]) -> list[Unit]:
    """The highest unit of each streamed file whose committed slices have no gap: it may be the file's last."""
    slices = _slices(committed)
    streams = [slices[file.number] for file in plan.files if file.streamed]
    return [units[-1] for units in streams if units and units[-1].slice == len(units) - 1]


def missing(plan: Plan, committed: Collection[Unit], ends: Collection[Unit]) -> Remaining:
    """What is missing, given which of `possible_ends` are indeed the last of their files."""
    finished = {unit.file for unit in ends}
    slices = _slices(committed)
    streams = tuple(
        (file, tuple(unit.slice for unit in slices[file.number]))
        for file in plan.files
        if file.streamed and file.number not in finished
    )
    planned = sum(len(slices[file.number]) if file.slices is None else file.slices for file in plan.files)
    return Remaining(
        units=tuple(unit for unit in plan.units() if unit not in committed),
        streams=streams,
        planned=None if streams else planned,
    )


def _slices(committed: Collection[Unit]) -> defaultdict[int, list[Unit]]:
    """The committed units of each file, in order."""
    slices: defaultdict[int, list[Unit]] = defaultdict(list)
    for unit in sorted(committed, key=lambda unit: (unit.file, unit.slice)):
        slices[unit.file].append(unit)
    return slices
