"""A Parquet file's footer: its columns, and what its row groups hold; or why there is none."""

import io
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.cut import RowGroup
from pipelines.corpus.first_bytes import other_content
from pipelines.errors import arrow_message

MAGIC = b"PAR1"
# The footer's length (little-endian) and the magic number end every Parquet file.
TAIL_BYTES = 8
# A nonce and a tag sign a footer that is not encrypted itself, of columns that are.
SIGNATURE_BYTES = 28
ENCRYPTED = "it is encrypted; decrypt it"


class NoFooterError(Exception):
    """The message says why the file cannot be read."""


class Footer(NamedTuple):
    """rows: of the whole file. groups: with the bytes of the columns that were asked for."""

    schema: pa.Schema
    rows: int
    groups: list[RowGroup]


def read_footer(file: BinaryIO, names: Sequence[str]) -> Footer:
    """The footer of an open file; names: the columns that will be read, whether it has them or not.

    Raises NoFooterError, and MemoryError where the machine is at fault.
    """
    try:
        parquet = pq.ParquetFile(file)
        metadata = parquet.metadata
        if _is_signed(file, metadata):
            raise NoFooterError(f"not a readable Parquet file: {ENCRYPTED}")
        return Footer(parquet.schema_arrow, metadata.num_rows, _row_groups(metadata, names))
    except MemoryError:
        raise  # Arrow's is an ArrowException too, but says nothing of the file.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise NoFooterError(f"not a readable Parquet file: {_why(file, error)}") from None


def _is_signed(file: BinaryIO, metadata: pq.FileMetaData) -> bool:
    """Whether some columns are encrypted: Arrow would end the process where it is asked what the footer says of one."""
    file.seek(-TAIL_BYTES, io.SEEK_END)
    length = int.from_bytes(file.read(TAIL_BYTES)[:4], "little")
    return length == metadata.serialized_size + SIGNATURE_BYTES


def _row_groups(metadata: pq.FileMetaData, names: Sequence[str]) -> list[RowGroup]:
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    starts = tuple(f"{name}." for name in names)  # of the leaves of nested columns
    read = [number for number, path in enumerate(paths) if path in names or path.startswith(starts)]
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return [
        RowGroup(group.num_rows, sum(group.column(number).total_uncompressed_size for number in read))
        for group in groups
    ]


def _why(file: BinaryIO, error: Exception) -> str:
    """Why Arrow finds no footer, if the file's ends tell it better than Arrow's message."""
    if "encrypted metadata" in str(error):
        return ENCRYPTED
    file.seek(0)
    head = file.read(len(MAGIC) * 4)
    if not head:
        return "it is empty"
    if other := other_content(head, "parquet"):
        return other
    if not head.startswith(MAGIC):
        return f"it does not begin with {MAGIC.decode()}"
    if "magic bytes not found" in str(error):
        return f"it is cut off: it does not end with {MAGIC.decode()}"
    return arrow_message(error)
