"""The plan of a corpus: its files in a fixed order, each cut into units without reading more than it must."""

from collections.abc import Sequence

from pipelines.corpus.plan_file import plan_from_bytes, plan_to_bytes
from pipelines.corpus.plan_types import Columns, CorpusFile, Plan, Unit
from pipelines.storage import Storage

__all__ = [
    "Columns",
    "CorpusFile",
    "Plan",
    "Unit",
    "check_unchanged",
    "extend_plan",
    "make_plan",
    "plan_from_bytes",
    "plan_to_bytes",
]


def make_plan(inputs: Sequence[str], columns: Columns, shard_rows: int, storage: Storage) -> Plan:
    raise NotImplementedError


def extend_plan(plan: Plan, inputs: Sequence[str], columns: Columns, storage: Storage) -> Plan:
    raise NotImplementedError


def check_unchanged(plan: Plan, storage: Storage) -> None:
    raise NotImplementedError
