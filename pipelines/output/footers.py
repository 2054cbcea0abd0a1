"""What the shards of an output say of themselves, read from their footers in a few threads."""

from collections.abc import Iterable, Iterator

from pipelines.corpus.plan_types import Unit
from pipelines.errors import StorageError
from pipelines.output.layout import Output
from pipelines.output.shard import read_info
from pipelines.output.shard_info import ShardInfo
from pipelines.pool_map import pool_map

# Small ranged reads, which wait for the store and not for the processor.
FOOTERS_AT_ONCE = 32


def read_footers(output: Output, units: Iterable[Unit]) -> Iterator[ShardInfo]:
    """The footers of these units' shards, in order. Raises StorageError where one is damaged or renamed."""
    return pool_map(lambda unit: _read_footer(output, unit), units, FOOTERS_AT_ONCE)


def _read_footer(output: Output, unit: Unit) -> ShardInfo:
    uri = output.shard_uri(unit)
    info = read_info(output.storage, uri)
    if info.unit != unit.name:
        raise StorageError(
            f"{uri}: is {info.unit} by its footer, so it was renamed; `encorpus verify` says what is wrong"
        )
    return info
