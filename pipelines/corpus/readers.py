"""Reading the corpus by units: one slice of a file that is cut, or the slices of a stream as they come."""

from collections.abc import Container, Iterator

from pipelines.corpus.plan_types import Columns, CorpusFile, Plan, Unit
from pipelines.corpus.rows import UnitRows
from pipelines.storage import Storage


def read_slice(plan: Plan, unit: Unit, columns: Columns, storage: Storage) -> UnitRows:
    raise NotImplementedError


def stream_slices(
    plan: Plan,
    file: CorpusFile,
    columns: Columns,
    storage: Storage,
    stripe: int,
    stripes: int,
    done: Container[int],
) -> Iterator[UnitRows]:
    raise NotImplementedError
