"""The corpus's rows of committed units, read again to be compared with the output's."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa

from pipelines.corpus.plan_types import CorpusFile, Unit
from pipelines.corpus.readers import SliceReader, stream_slices
from pipelines.corpus.rows import UnitRows
from pipelines.output.planned import Planned
from pipelines.output.rejects import NOT_FINITE
from pipelines.storage import Storage


def input_rows(planned: Planned, file: CorpusFile, units: Sequence[Unit], storage: Storage) -> Iterator[UnitRows]:
    """The rows of these units of one file, in ascending order, but for slices that a streamed file does not have.

    A streamed file is read from its start to the last of the units. Raises as `readers.read_slice` does.
    """
    if file.streamed:
        wanted = {unit.slice for unit in units}
        others = frozenset(range(max(wanted, default=0))) - wanted
        slices = stream_slices(planned.plan, file, planned.columns, storage, stripe=0, stripes=1, done=others)
        yield from islice(slices, len(wanted))
        return
    with SliceReader(planned.plan, file, planned.columns, storage) as reader:
        for unit in units:
            yield reader.read(unit.slice)


def rejected_by_encoder(rejects: pa.Table) -> np.ndarray:
    """Whether each of a unit's rejects, bool [n], was a good row of the input whose vector was none."""
    return np.array([reason == NOT_FINITE for reason in rejects["reason"].to_pylist()], bool)


def embedded_part(rows: UnitRows, rejects: pa.Table) -> pa.Table:
    """The unit's good rows without those that the encoder rejected: what its shard has to hold."""
    lost = rejects["row"].to_numpy()[rejected_by_encoder(rejects)]
    return rows.table.filter(pa.array(~np.isin(rows.table["row"].to_numpy(), lost)))
