"""What a shard's footer says of it: `encorpus.*` keys in the Parquet file's metadata."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

PREFIX = "encorpus."


@dataclass(frozen=True)
class ShardInfo:
    """All that is known of a shard without reading its rows.

    unit: its name. file, version: the corpus file, as planned. start, stop: rows or bytes of it that the slice
    covers. last: whether this is the file's last slice. rows: of the shard, one a document, or one a chunk. documents,
    rejects: rows of the input embedded and not; their sum is the rows read. tokens: over all rows, after truncation.
    truncated: rows that lost text. dimension: of the vectors, as the encoder gives them. scale: of int8 vectors; else
    1. norm_*: of the vectors as they are stored (int8: × scale; binary: the bits as 0 and 1), over tokens for
    `sequence`; 0 without rows. checksum: of the file, as `seal` says. bytes: of the file, known to whoever has it and
    not in the footer.
    """

    unit: str
    file: str
    version: str
    start: int
    stop: int
    last: bool
    rows: int
    documents: int
    rejects: int
    tokens: int
    truncated: int
    fingerprint: str
    encorpus_version: str
    dimension: int
    scale: float = 1.0
    norm_min: float = 0.0
    norm_mean: float = 0.0
    norm_max: float = 0.0
    checksum: str = ""
    bytes: int = 0


def to_metadata(info: ShardInfo) -> dict[str, str]:
    """The footer's keys and values; the checksum, which `seal` fills in, comes last."""
    values = {field.name: getattr(info, field.name) for field in _FOOTER_FIELDS}
    return {PREFIX + name: str(v).lower() if isinstance(v, bool) else str(v) for name, v in values.items()}


def from_metadata(metadata: Mapping[bytes, bytes] | None, size: int) -> ShardInfo:
    """The info in the footer of a file of `size` bytes. Raises ValueError that names a key missing or wrong."""
    values: dict[str, Any] = {"bytes": size}
    for field in _FOOTER_FIELDS:
        text = (metadata or {}).get(f"{PREFIX}{field.name}".encode())
        if text is None:
            raise ValueError(f"its footer has no {PREFIX}{field.name}")
        try:
            values[field.name] = _PARSE[field.type](text.decode())
        except (ValueError, KeyError):
            raise ValueError(f"its footer says {PREFIX}{field.name} = {text!r}") from None
    return ShardInfo(**values)


_FOOTER_FIELDS = [field for field in fields(ShardInfo) if field.name != "bytes"]
_PARSE: Mapping[Any, Any] = {str: str, int: int, float: float, bool: {"true": True, "false": False}.__getitem__}
