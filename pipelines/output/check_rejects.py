"""Checks of a unit's rejects file: as many rows as the shard's footer counts, of its slice, and none embedded too."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipelines.corpus.rows import REJECT_SCHEMA
from pipelines.output.shard_contents import UnitContents, ascend_within, positions_of
from pipelines.output.violation import AGAIN


def check_rejects(contents: UnitContents) -> Iterator[str]:
    """What is wrong with the rejects file, or with there being none."""
    rejects, said = contents.rejects, contents.shard.info.rejects
    if rejects is None:
        if said:
            yield f"missing, with {said} rows; delete the shard {contents.unit.name}.parquet and {AGAIN}"
        return
    if rejects.num_rows != said:
        yield f"holds {rejects.num_rows} rows, where the shard's footer counts {said}"
    if not rejects.schema.equals(REJECT_SCHEMA):
        yield f"its columns are {', '.join(rejects.schema.names)}, where {', '.join(REJECT_SCHEMA.names)} were due"
        return
    yield from _check_rows(contents, rejects)


def _check_rows(contents: UnitContents, rejects: pa.Table) -> Iterator[str]:
    info = contents.shard.info
    if rejects.num_rows and rejects["file"].unique().to_pylist() != [contents.file.uri]:
        yield f"rows of other files than {contents.file.uri} are among them"
    rows = rejects["row"].drop_null().to_numpy()
    if not ascend_within(rows, info):
        yield f"their rows do not ascend, each once, from {info.start} to {info.stop}"
    embedded = positions_of(contents) if contents.generated_ids and "id" in contents.shard.table.schema.names else None
    if embedded is not None and (both := np.intersect1d(rows, embedded)).size:
        yield f"{both.size} of them are in the shard too, the first being row {both[0]}"
