"""A unit's rejects file: the rows that are not in its shard, each with its reason."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan_types import Unit
from pipelines.corpus.rows import REJECT_SCHEMA
from pipelines.errors import StorageError, arrow_message
from pipelines.output.layout import Output
from pipelines.storage import Storage

# The one reason that reading does not find: the encoder does.
NOT_FINITE = "vector is not finite"


def rejects_bytes(rejects: pa.Table) -> bytes:
    """The file of a table of REJECT_SCHEMA; its pages carry checksums."""
    sink = io.BytesIO()
    pq.write_table(rejects, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def rejects_of(output: Output, unit: Unit, there: bool) -> pa.Table:
    """The rejects of a unit, as `read_rejects` gives them; none where its file is not there."""
    return read_rejects(output.storage, output.rejects_uri(unit)) if there else REJECT_SCHEMA.empty_table()


def read_rejects(storage: Storage, uri: str, columns: list[str] | None = None) -> pa.Table:
    """The rejects that a file holds, or some columns of them. Raises StorageError when it cannot be read."""
    data = storage.read_bytes(uri)
    try:
        return pq.read_table(pa.BufferReader(data), columns=columns, page_checksum_verification=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        told = f"{uri}: not a whole rejects file ({arrow_message(error)}); delete its shard and embed again"
        raise StorageError(told) from None
