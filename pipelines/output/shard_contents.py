"""A unit's shard and rejects as the checks look at them: read once, its vectors reduced to their lengths."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan_types import CorpusFile, Unit
from pipelines.corpus.rows import generated_id
from pipelines.errors import arrow_message
from pipelines.output.check_chunks import has_chunk_columns
from pipelines.output.planned import Planned
from pipelines.output.quantized import impossible
from pipelines.output.seal import check_seal
from pipelines.output.shard import vector_batches
from pipelines.output.shard_info import ShardInfo, from_metadata
from pipelines.output.vectors import embedding_width, vector_norms


@dataclass(frozen=True)
class ShardContents:
    """info: what the footer says. table: all columns but the embedding, as `schema` has them. width: numbers
    that store one vector, None where the embedding column is missing or none. norms: float32, the lengths of all
    vectors. impossible: how many of them hold what is never stored."""

    info: ShardInfo
    schema: pa.Schema
    table: pa.Table
    width: int | None
    norms: np.ndarray
    impossible: int


@dataclass(frozen=True)
class UnitContents:
    """What the output has of a unit, and what was planned of it. rejects: None where it has no rejects file."""

    planned: Planned
    file: CorpusFile
    unit: Unit
    shard: ShardContents
    rejects: pa.Table | None

    @property
    def generated_ids(self) -> bool:
        """Whether ids are made from file and position."""
        return self.planned.columns.id is None

    @property
    def document_ids(self) -> pa.ChunkedArray:
        """The ids of the documents in the shard, each once."""
        table = self.shard.table
        chunks = self.planned.chunked and has_chunk_columns(table.schema)
        return table["id"].filter(pa.array(table["chunk"].to_numpy() == 0)) if chunks else table["id"]


def parse_shard(data: bytes) -> ShardContents:
    """The contents of a shard's file, whose seal is checked before anything is parsed.

    Raises ValueError that says what is wrong.
    """
    if wrong := check_seal(memoryview(data)):
        raise ValueError(wrong)
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as parquet:
            schema = parquet.schema_arrow.remove_metadata()
            info = from_metadata(parquet.metadata.metadata, len(data))
            width, norms, strange = embedding_width(schema), [np.empty(0, np.float32)], 0
            for vectors in vector_batches(parquet) if width is not None else ():
                norms.append(vector_norms(vectors, info.scale))
                strange += int(impossible(vectors, info.dimension).sum())
            table = parquet.read([name for name in schema.names if name != "embedding"], use_threads=False)
            return ShardContents(info, schema, table, width, np.concatenate(norms), strange)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"not readable as Parquet ({arrow_message(error)})") from None


def positions_of(contents: UnitContents) -> np.ndarray | None:
    """The row positions that the documents' generated ids hold, int64 [n]; None where some are not generated ones."""
    ids = contents.document_ids.to_pylist()
    try:
        positions = [int(str(value).rpartition(":")[2]) for value in ids]
    except ValueError:
        return None
    generated = [generated_id(contents.file, position) for position in positions]
    return np.array(positions, np.int64) if ids == generated else None


def ascend_within(positions: np.ndarray, info: ShardInfo) -> bool:
    """Whether positions ascend, each once, inside the slice's range."""
    if not positions.size:
        return True
    return bool(np.all(np.diff(positions) > 0) and positions[0] >= info.start and positions[-1] < info.stop)
