"""A shard: one unit's vectors as a Parquet file that says in its footer what it is."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.parquet_footer import TAIL_BYTES
from pipelines.errors import EncorpusError, StorageError, arrow_message
from pipelines.output.quantized import stored_width
from pipelines.output.seal import PLACEHOLDER, seal
from pipelines.output.shard_info import ShardInfo, from_metadata, to_metadata
from pipelines.output.vectors import (
    Vectors,
    embedding_column,
    embedding_type,
    numbers_of_rows,
    vector_norms,
    vector_parts,
    vector_type,
    vectors_of,
)
from pipelines.storage import Storage

__all__ = [
    "ShardInfo",
    "Vectors",
    "read_columns",
    "read_info",
    "shard_bytes",
    "shard_schema",
    "shard_table",
    "stored_schema",
    "vector_batches",
]

# Vectors are read as a whole: with large pages they are read several times faster.
PAGE_BYTES = 8 << 20

# Numbers of vectors in one row group, 32 MiB in float32: a reader can take a part of a large shard, and neither it nor
# the writer needs much more memory than that.
GROUP_NUMBERS = 8 << 20

# Numbers of vectors decoded at once.
BATCH_NUMBERS = 2 << 20

# The Parquet path of the numbers starts so.
EMBEDDING = "embedding."

# Read from a shard's end at once: most footers are smaller.
FOOTER_GUESS_BYTES = 64 << 10


def shard_schema(columns: pa.Schema, width: int, dtype: str, sequence: bool) -> pa.Schema:
    """The schema of a shard, from that of `id`, the kept columns and, for chunks, their places. width: numbers that
    store one vector."""
    return pa.schema(
        [
            *(pa.field(field.name, field.type) for field in columns),
            pa.field("tokens", pa.int32()),
            pa.field("truncated", pa.bool_()),
            pa.field("embedding", embedding_type(width, dtype, sequence)),
        ]
    )


def shard_table(
    columns: pa.Table, tokens: np.ndarray, truncated: np.ndarray, vectors: Vectors, dimension: int, dtype: str
) -> pa.Table:
    """The shard's rows: `columns` (id, kept and places of chunks), tokens int32, truncated bool, embedding.

    vectors: as `quantized` gives them, [n, width], or n arrays [tokens, width], which become lists of vectors.
    """
    width = stored_width(dimension, dtype)
    schema = shard_schema(columns.schema, width, dtype, sequence=not isinstance(vectors, np.ndarray))
    own = [pa.array(tokens, pa.int32()), pa.array(truncated, pa.bool_()), embedding_column(vectors, width, dtype)]
    return pa.Table.from_arrays([*columns.columns, *own], schema=schema)


def shard_bytes(table: pa.Table, info: ShardInfo) -> tuple[memoryview, ShardInfo]:
    """The shard's file, and the info completed with vector norms, checksum and size.

    Vectors are not copied on their way into the file. Raises EncorpusError when a vector is not finite: such a shard
    would only be found wrong later.
    """
    info = replace(info, **_norms(table["embedding"], info), checksum=PLACEHOLDER)
    leaves = _leaves(table.schema)
    small: Any = [path for path in leaves if not path.startswith(EMBEDDING)]
    # Vectors hardly compress, and readers are faster without.
    compression: Any = {path: "zstd" if path in small else "none" for path in leaves}
    # Parquet's smallest integers have 32 bits; as indexes into a dictionary, those of int8 and binary have 8.
    number = vector_type(table.schema.field("embedding").type).value_type
    in_dictionary: Any = leaves if number.bit_width == 8 else small
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression=compression,
        use_dictionary=in_dictionary,
        write_statistics=small,
        data_page_size=PAGE_BYTES,
    ) as writer:
        for start, stop in pairwise(_group_bounds(table["embedding"])):
            if start < stop:  # some readers stumble over a row group without rows
                writer.write_table(table.slice(start, stop - start), row_group_size=stop - start)
        writer.add_key_value_metadata(to_metadata(info))
    data = memoryview(sink.getvalue()).cast("B")
    return data, replace(info, checksum=seal(data), bytes=data.nbytes)


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """The schema as it comes back from Parquet, which knows fewer types and names than Arrow."""
    return pq.read_schema(_empty_file(schema)).remove_metadata()


def read_info(storage: Storage, uri: str) -> ShardInfo:
    """What the shard's footer says, by one or two small reads. Raises StorageError when it is no whole shard."""
    entry = storage.entry(uri)
    if entry is None:
        raise StorageError(f"{uri}: no such shard")
    tail = storage.read_range(uri, max(0, entry.size - FOOTER_GUESS_BYTES), entry.size)
    needed = int.from_bytes(tail[-TAIL_BYTES:-4], "little") + TAIL_BYTES
    if len(tail) < needed <= entry.size:
        tail = storage.read_range(uri, entry.size - needed, entry.size)
    try:
        return from_metadata(pq.read_metadata(pa.BufferReader(tail)).metadata, entry.size)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _not_whole(uri, error) from None


def vector_batches(parquet: pq.ParquetFile) -> Iterator[np.ndarray]:
    """The stored vectors of an open shard [n, width], a few MB at a time; those of all tokens for `sequence`."""
    for number in range(parquet.num_row_groups):
        group = parquet.metadata.row_group(number)
        columns = map(group.column, range(group.num_columns))
        numbers = sum(column.num_values for column in columns if column.path_in_schema.startswith(EMBEDDING))
        rows = max(1, BATCH_NUMBERS * group.num_rows // max(1, numbers))
        for batch in parquet.iter_batches(rows, row_groups=[number], columns=["embedding"], use_threads=False):
            yield vectors_of(pa.chunked_array([batch.column(0)]))


def read_columns(storage: Storage, uri: str, columns: Sequence[str]) -> pa.Table:
    """Some columns of a shard; of the file, only these are read. Raises StorageError when it is no whole shard."""
    try:
        with storage.open(uri) as file, pq.ParquetFile(file, pre_buffer=True) as parquet:
            return parquet.read(list(columns), use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _not_whole(uri, error) from None


def _not_whole(uri: str, error: Exception) -> StorageError:
    told = f"{uri}: not a whole shard ({arrow_message(error)}); delete it and run the same embed command again"
    return StorageError(told)


def _group_bounds(column: pa.ChunkedArray) -> list[int]:
    """Where row groups begin, and where the last one ends: without its last row, none has more than GROUP_NUMBERS."""
    numbers = numbers_of_rows(column)
    groups = (np.cumsum(numbers) - numbers) // GROUP_NUMBERS
    return [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(numbers)]


def _norms(column: pa.ChunkedArray, info: ShardInfo) -> dict[str, float]:
    parts = [vector_norms(part, info.scale) for part in vector_parts(column)]
    norms = np.concatenate([np.empty(0, np.float32), *parts])
    if not len(norms):
        return {}
    wrong = int(np.count_nonzero(~np.isfinite(norms)))
    if wrong:
        raise EncorpusError(
            f"{info.unit} of {info.file}: {wrong} of {len(norms)} vectors are NaN or infinite; "
            "check the model, or compute with --precision float32"
        )
    return {
        "norm_min": float(norms.min()),
        "norm_mean": float(norms.mean(dtype=np.float64)),
        "norm_max": float(norms.max()),
    }


@lru_cache(maxsize=16)  # all shards of a job have one schema
def _leaves(schema: pa.Schema) -> list[str]:
    """The Parquet paths of the schema's leaf columns."""
    stored = pq.read_metadata(_empty_file(schema)).schema
    return [stored.column(number).path for number in range(len(stored))]


def _empty_file(schema: pa.Schema) -> io.BytesIO:
    empty = io.BytesIO()
    pq.write_table(schema.empty_table(), empty)
    return empty
