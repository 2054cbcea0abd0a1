"""What an output still lacks of its plan, told by names and by the footers of streamed files' shards alone."""

from collections import defaultdict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipelines.corpus.plan_types import CorpusFile, Plan, Unit
from pipelines.output.layout import Output
from pipelines.output.shard import read_info

FOOTERS_AT_ONCE = 32


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
    """Compares plan and output in O(units); reads one footer a streamed file."""
    units = tuple(unit for unit in plan.units() if unit not in committed)
    slices: dict[int, list[int]] = defaultdict(list)
    for unit in committed:
        slices[unit.file].append(unit.slice)
    streamed = [(file, tuple(sorted(slices[file.number]))) for file in plan.files if file.streamed]
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
        finished = list(pool.map(lambda one: _finished(*one, output), streamed))
    streams = tuple(one for one, end in zip(streamed, finished, strict=True) if not end)
    cut = sum(file.slices or 0 for file in plan.files)
    return Remaining(units, streams, None if streams else cut + sum(len(done) for _, done in streamed))


def _finished(file: CorpusFile, done: tuple[int, ...], output: Output) -> bool:
    """Whether the slices are all from 0 to one that says it is the last."""
    if not done or done[-1] != len(done) - 1:
        return False
    return read_info(output.storage, output.shard_uri(Unit(file.number, done[-1]))).last
