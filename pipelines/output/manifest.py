"""manifest.json: what a finished output holds, in all and shard by shard; written last."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import orjson

from pipelines.errors import StorageError
from pipelines.output.footers import read_footers
from pipelines.output.layout import Output
from pipelines.output.shard_info import ShardInfo


@dataclass(frozen=True)
class ShardEntry:
    """What the manifest says of one shard; the words are ShardInfo's."""

    unit: str
    rows: int
    rejects: int
    tokens: int
    truncated: int
    bytes: int
    checksum: str
    norm_min: float
    norm_mean: float
    norm_max: float


@dataclass(frozen=True)
class Manifest:
    """Totals over all shards, and the shards in order. norm_mean: the shards' own, weighted by their rows."""

    fingerprint: str
    units: int
    rows: int
    rejects: int
    tokens: int
    truncated: int
    bytes: int
    norm_min: float
    norm_mean: float
    norm_max: float
    shards: tuple[ShardEntry, ...]


def write_manifest(output: Output, known: Mapping[str, ShardInfo]) -> Manifest:
    """Writes the manifest of all committed shards. Those in `known`, by unit name, are not read again.

    Raises StorageError when another shard's footer cannot be read.
    """
    committed = sorted(output.committed(), key=lambda unit: (unit.file, unit.slice))
    read = read_footers(output, (unit for unit in committed if unit.name not in known))
    infos = {**known, **{info.unit: info for info in read}}
    fingerprint = next(iter(infos.values())).fingerprint if infos else ""
    manifest = make_manifest(fingerprint, (entry_of(infos[unit.name]) for unit in committed))
    output.storage.write_atomic(output.manifest_uri, manifest_to_bytes(manifest))
    return manifest


def make_manifest(fingerprint: str, shards: Iterable[ShardEntry]) -> Manifest:
    """The manifest of these shards, which stand in order and are of one fingerprint."""
    shards = tuple(shards)
    filled = [shard for shard in shards if shard.rows]
    rows = sum(shard.rows for shard in filled)
    return Manifest(
        fingerprint=fingerprint,
        units=len(shards),
        rows=rows,
        rejects=sum(shard.rejects for shard in shards),
        tokens=sum(shard.tokens for shard in shards),
        truncated=sum(shard.truncated for shard in shards),
        bytes=sum(shard.bytes for shard in shards),
        norm_min=min((shard.norm_min for shard in filled), default=0.0),
        norm_mean=sum(shard.norm_mean * shard.rows for shard in filled) / rows if rows else 0.0,
        norm_max=max((shard.norm_max for shard in filled), default=0.0),
        shards=shards,
    )


def entry_of(info: ShardInfo) -> ShardEntry:
    """A shard's entry."""
    return ShardEntry(**{name: getattr(info, name) for name in ShardEntry.__dataclass_fields__})


def manifest_to_bytes(manifest: Manifest) -> bytes:
    """The file: one JSON object, with a line for each total and for each shard."""
    totals = asdict(manifest)
    shards = totals.pop("shards")
    lines = [f"{orjson.dumps(name).decode()}: {orjson.dumps(value).decode()}" for name, value in totals.items()]
    entries = ",\n".join(orjson.dumps(shard).decode() for shard in shards)
    return "{{\n{}\n}}\n".format(",\n".join([*lines, f'"shards": [\n{entries}\n]'])).encode()


def load_manifest(output: Output) -> Manifest | None:
    """The manifest; None when there is none, as long as the job is not finished.

    Raises StorageError when it is damaged.
    """
    if not output.storage.exists(output.manifest_uri):
        return None
    data = output.storage.read_bytes(output.manifest_uri)
    try:
        plain = orjson.loads(data)
        return Manifest(**{**plain, "shards": tuple(ShardEntry(**shard) for shard in plain["shards"])})
    except (ValueError, TypeError, KeyError):
        raise StorageError(
            f"{output.manifest_uri}: not a manifest of encorpus; delete it and run the same embed command again"
        ) from None
