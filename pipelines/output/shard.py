"""A shard: one unit's vectors as a Parquet file that says in its footer what it is.

The footer's key-value metadata hold a ShardInfo, each field under `encorpus.` and its name. `checksum` is the SHA-256
of the file's bytes before the footer, which are the rows themselves; the footer cannot hold its own.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import StorageError
from pipelines.storage import Storage

PREFIX = "encorpus."
MAGIC = b"PAR1"
# The footer's length (little-endian) and the magic number end every Parquet file.
TAIL_BYTES = 8
FOOTER_GUESS_BYTES = 64 << 10


@dataclass(frozen=True)
class ShardInfo:
    """What a shard's footer says.

    unit: its name. file, version: the corpus file, as planned. start, stop: rows or bytes of it that the slice
    covers. last: whether this is the file's last slice. rows, rejects: rows embedded and not; their sum is the
    rows read. tokens: over all rows, after truncation. truncated: rows that lost text. norm_*: of the vectors,
    over tokens for `sequence`; 0 without rows. bytes: of the file, known to whoever has it and not in the footer.
    """

    unit: str
    file: str
    version: str
    start: int
    stop: int
    last: bool
    rows: int
    rejects: int
    tokens: int
    truncated: int
    fingerprint: str
    encorpus_version: str
    norm_min: float = 0.0
    norm_mean: float = 0.0
    norm_max: float = 0.0
    checksum: str = ""
    bytes: int = 0


Vectors = np.ndarray | list[np.ndarray]


def shard_table(
    columns: pa.Table, tokens: np.ndarray, truncated: np.ndarray, vectors: Vectors, dimension: int, dtype: str
) -> pa.Table:
    """The shard's rows: `columns` (id and kept), tokens int32, truncated bool, embedding.

    vectors: [n, dimension], or n arrays [tokens, dimension], which become lists of vectors.
    """
    table = columns.append_column("tokens", pa.array(tokens, pa.int32()))
    table = table.append_column("truncated", pa.array(truncated, pa.bool_()))
    return table.append_column("embedding", _embedding(vectors, dimension, dtype))


def shard_bytes(table: pa.Table, info: ShardInfo) -> tuple[memoryview, ShardInfo]:
    """The shard's file, and the info completed with vector norms, checksum and size."""
    info = replace(info, **_norms(table["embedding"]))
    small = [name for name in table.schema.names if name != "embedding"]
    # Vectors hardly compress, and readers are faster without.
    compression: Any = {path: "none" if path.startswith("embedding.") else "zstd" for path in _leaves(table.schema)}
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, compression=compression, use_dictionary=small) as writer:
        writer.write_table(table, row_group_size=max(1, table.num_rows))
        info = replace(info, checksum=hashlib.sha256(sink.getbuffer()).hexdigest())
        writer.add_key_value_metadata(_metadata(info))
    return sink.getbuffer(), replace(info, bytes=sink.getbuffer().nbytes)


def read_info(storage: Storage, uri: str) -> ShardInfo:
    """What the shard's footer says, by one or two small reads. Raises StorageError when it is no shard of encorpus."""
    entry = storage.entry(uri)
    if entry is None:
        raise StorageError(f"{uri}: no such shard")
    tail = storage.read_range(uri, max(0, entry.size - FOOTER_GUESS_BYTES), entry.size)
    needed = _footer_bytes(tail) + TAIL_BYTES
    if len(tail) < needed <= entry.size:
        tail = storage.read_range(uri, entry.size - needed, entry.size)
    return parse_info(tail, uri, entry.size)


def parse_info(data: bytes, uri: str, size: int) -> ShardInfo:
    """The info in a shard's footer; `data` are the file's last bytes, at least its footer. Raises StorageError."""
    try:
        # A Parquet reader looks for the metadata at the end only; the beginning is made up.
        metadata = pq.read_metadata(pa.BufferReader(MAGIC + data)).metadata or {}
        plain = {key.decode()[len(PREFIX) :]: value.decode() for key, value in metadata.items() if _ours(key)}
        return ShardInfo(**{f.name: _PARSE[str(f.type)](plain[f.name]) for f in _FOOTER_FIELDS}, bytes=size)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise StorageError(f"{uri}: not a whole shard of encorpus ({type(error).__name__})") from None


def checksum_of(data: bytes | memoryview) -> str:
    """The checksum that the footer of this whole file ought to hold."""
    return hashlib.sha256(data[: max(0, len(data) - TAIL_BYTES - _footer_bytes(data))]).hexdigest()


_FOOTER_FIELDS = [one for one in fields(ShardInfo) if one.name != "bytes"]
_PARSE: Mapping[str, Any] = {
    "<class 'str'>": str,
    "<class 'int'>": int,
    "<class 'float'>": float,
    "<class 'bool'>": lambda text: {"true": True, "false": False}[text],
}


def _metadata(info: ShardInfo) -> dict[str, str]:
    values = {one.name: getattr(info, one.name) for one in _FOOTER_FIELDS}
    return {PREFIX + k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in values.items()}


def _ours(key: bytes) -> bool:
    return key.startswith(PREFIX.encode())


def _footer_bytes(tail: bytes | memoryview) -> int:
    return int.from_bytes(tail[-TAIL_BYTES:-4], "little")


def _leaves(schema: pa.Schema) -> list[str]:
    """The Parquet paths of the schema's leaf columns."""
    empty = io.BytesIO()
    pq.write_table(schema.empty_table(), empty)
    stored = pq.read_metadata(empty).schema
    return [stored.column(number).path for number in range(len(stored))]


def _embedding(vectors: Vectors, dimension: int, dtype: str) -> pa.Array:
    element = pa.from_numpy_dtype(np.dtype(dtype))
    if isinstance(vectors, np.ndarray):
        return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), element), dimension)
    flat = np.concatenate([np.empty((0, dimension), dtype), *vectors])
    offsets = np.cumsum([0, *map(len, vectors)], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, _embedding(flat, dimension, dtype))


def _norms(column: pa.ChunkedArray) -> dict[str, float]:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    vectors = vectors_of(array)
    if not len(vectors):
        return {}
    norms = np.linalg.norm(vectors.astype(np.float32), axis=1)
    return {"norm_min": float(norms.min()), "norm_mean": float(norms.mean()), "norm_max": float(norms.max())}


def vectors_of(array: pa.Array) -> np.ndarray:
    """The vectors of an embedding column as [n, dimension], those of all tokens where it is of lists."""
    if pa.types.is_list(array.type):
        array = array.flatten()
    return array.flatten().to_numpy(zero_copy_only=False).reshape(-1, array.type.list_size)
