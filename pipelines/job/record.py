"""What a worker reports of a unit: one small record, which travels as a row of a table."""

import itertools
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import pyarrow as pa

from pipelines.encoder.stats import EncodeStats
from pipelines.output.shard_info import ShardInfo


class Outcome(StrEnum):
    """done: its shard is committed. failed: this unit could not be made, the others can. set_aside: it killed its
    worker too often. fatal: the job cannot go on, whatever the unit. refused: nor could it ever as it was asked for.
    ended: no unit, but a stripe of a streamed file has no more of them."""

    DONE = "done"
    FAILED = "failed"
    SET_ASIDE = "set aside"
    FATAL = "fatal"
    REFUSED = "refused"
    ENDED = "ended"


@dataclass(frozen=True)
class Record:
    """unit: its name; what was being read where no unit was reached; empty for a worker that could not load.
    shard: what the footer says, when done. reasons: rejects by reason. retries: of storage, by this unit's worker since
    its last record. lengths: rows by their tokens, as `length_counts` gives them. worker: host and process. started:
    seconds since 1970, by the worker's clock; seconds: from then to the unit's end."""

    unit: str
    outcome: Outcome
    message: str = ""
    shard: ShardInfo | None = None
    stats: EncodeStats = EncodeStats()
    reasons: Mapping[str, int] = field(default_factory=dict)
    retries: int = 0
    lengths: tuple[int, ...] = ()
    worker: str = ""
    started: float = 0.0
    seconds: float = 0.0


PARCEL_SECONDS = 1.0

RECORD_SCHEMA = pa.schema([("records", pa.list_(pa.string()))])


def record_table(records: Sequence[Record]) -> pa.Table:
    """The records as a table of one row: Ray hands on a block a row, and each block costs it some 25 ms."""
    return pa.table({"records": [[json.dumps(asdict(record)) for record in records]]}, schema=RECORD_SCHEMA)


def parcels(records: Iterable[Record | None], clock: Callable[[], float] = time.monotonic) -> Iterator[list[Record]]:
    """The records, those of quick units several together: each parcel costs Ray and the driver some milliseconds.

    None among them says that no record is to be waited for.
    """
    waiting: list[Record] = []
    sent = -math.inf
    for record in records:
        if record is not None:
            waiting.append(record)
        if waiting and (record is None or clock() - sent >= PARCEL_SECONDS):
            yield waiting
            waiting, sent = [], clock()
    if waiting:
        yield waiting


def records_of(table: pa.Table) -> Iterator[Record]:
    """The records in a table of `record_table`'s schema."""
    for text in itertools.chain.from_iterable(table["records"].to_pylist()):
        plain = json.loads(text)
        shard = ShardInfo(**plain.pop("shard")) if plain["shard"] else plain.pop("shard")
        stats = EncodeStats(**plain.pop("stats"))
        lengths = tuple(plain.pop("lengths"))
        outcome = Outcome(plain.pop("outcome"))
        yield Record(**plain, outcome=outcome, shard=shard, stats=stats, lengths=lengths)
