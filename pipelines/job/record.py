"""What a worker reports of a unit: one small record, as one row of a table."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import pyarrow as pa

from pipelines.encoder.stats import EncodeStats
from pipelines.output.shard_info import ShardInfo


class Outcome(StrEnum):
    """done: its shard is committed. failed: this unit could not be made, the others can. set_aside: it killed its
    worker too often. fatal: the job cannot go on, whatever the unit. refused: nor could it ever as it was asked for."""

    DONE = "done"
    FAILED = "failed"
    SET_ASIDE = "set aside"
    FATAL = "fatal"
    REFUSED = "refused"


@dataclass(frozen=True)
class Record:
    """unit: its name; what was being read where no unit was reached; empty for a worker that could not load.
    shard: what the footer says, when done. reasons: rejects by reason."""

    unit: str
    outcome: Outcome
    message: str = ""
    shard: ShardInfo | None = None
    stats: EncodeStats = EncodeStats()
    reasons: Mapping[str, int] = field(default_factory=dict)


RECORD_SCHEMA = pa.schema([("record", pa.string())])


def record_table(record: Record) -> pa.Table:
    """The record as a table of one row."""
    return pa.table({"record": [json.dumps(asdict(record))]}, schema=RECORD_SCHEMA)


def records_of(table: pa.Table) -> Iterator[Record]:
    """The records in a table of `record_table`'s schema."""
    for text in table["record"].to_pylist():
        plain = json.loads(text)
        shard = ShardInfo(**plain.pop("shard")) if plain["shard"] else plain.pop("shard")
        stats = EncodeStats(**plain.pop("stats"))
        yield Record(**{**plain, "outcome": Outcome(plain["outcome"]), "shard": shard, "stats": stats})
