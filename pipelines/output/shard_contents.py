"""A unit's shard and rejects as the checks look at them: read once, its vectors reduced to their lengths."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan_types import CorpusFile, Unit
from pipelines.corpus.rows import generated_id
from pipelines.output.planned import Planned
from pipelines.output.seal import check_seal
from pipelines.output.shard import vector_batches
from pipelines.output.shard_info import ShardInfo, from_metadata
from pipelines.output.vectors import vector_norms


@dataclass(frozen=True)
class ShardContents:
    """info: what the footer says. table: all columns but the embedding, as `schema` has them. dimension: of the
    vectors, None where the embedding column is missing or none. norms: float32, the lengths of all vectors."""

    info: ShardInfo
    schema: pa.Schema
    table: pa.Table
    dimension: int | None
    norms: np.ndarray


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


def parse_shard(data: bytes) -> ShardContents:
    """The contents of a shard's file, whose seal is checked before anything is parsed.

    Raises ValueError that says what is wrong.
    """
    if wrong := check_seal(memoryview(data)):
        raise ValueError(wrong)
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as parquet:
            schema = parquet.schema_arrow.remove_metadata()
            dimension = dimension_of(schema)
            norms = [vector_norms(vectors) for vectors in vector_batches(parquet)] if dimension is not None else []
            return ShardContents(
                info=from_metadata(parquet.metadata.metadata, len(data)),
                schema=schema,
                table=parquet.read([name for name in schema.names if name != "embedding"], use_threads=False),
                dimension=dimension,
                norms=np.concatenate([np.empty(0, np.float32), *norms]),
            )
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"not readable as Parquet ({' '.join(str(error).split())[:200]})") from None


def dimension_of(schema: pa.Schema) -> int | None:
    """The length of a shard's vectors; None where its embedding column is missing or of another type."""
    if "embedding" not in schema.names:
        return None
    kind = schema.field("embedding").type
    if pa.types.is_list(kind):
        kind = kind.value_type
    return kind.list_size if pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type) else None


def positions_of(contents: UnitContents) -> np.ndarray | None:
    """The row positions that the shard's generated ids hold, int64 [n]; None where some are not generated ones."""
    ids = contents.shard.table["id"].to_pylist()
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
