"""manifest.json: what a finished output holds, in all and shard by shard; written last.

While a later run works it stays, so that its list is whole at any moment: the new one replaces it in one write.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import orjson

from pipelines.corpus.plan_types import CorpusFile, Plan, Unit
from pipelines.errors import EncorpusError, StorageError
from pipelines.output.footers import read_footers
from pipelines.output.layout import Output, unit_named
from pipelines.output.other_runs import refuse_changes
from pipelines.output.planned import units_of_plan, units_of_retired
from pipelines.output.remaining import missing, possible_ends
from pipelines.output.shard_info import ShardInfo


# There is one a unit: with slots it takes half the memory.
@dataclass(frozen=True, slots=True)
class ShardEntry:
    """What the manifest says of one shard; the words are ShardInfo's."""

    unit: str
    rows: int
    documents: int
    rejects: int
    tokens: int
    truncated: int
    bytes: int
    checksum: str
    dimension: int
    scale: float
    norm_min: float
    norm_mean: float
    norm_max: float


@dataclass(frozen=True)
class Manifest:
    """Totals over all shards, and the shards in order. plan: the digest of the plan.parquet that they make up.
    norm_mean: the shards' own, weighted by their rows."""

    plan: str
    fingerprint: str
    units: int
    rows: int
    documents: int
    rejects: int
    tokens: int
    truncated: int
    bytes: int
    norm_min: float
    norm_mean: float
    norm_max: float
    shards: tuple[ShardEntry, ...]

    @property
    def listed(self) -> Iterator[Unit]:
        """The units of the shards."""
        return (unit for entry in self.shards if (unit := unit_named(entry.unit)) is not None)


Entry = TypeVar("Entry", ShardEntry, Manifest)


def write_manifest(output: Output, plan: Plan, digest: str, fingerprint: str) -> Manifest:
    """Writes the manifest of a finished output, by the footers of all its shards, whoever made them.

    digest: of plan.parquet. Shards of retired files may lie there still. Raises StorageError when a footer cannot be
    read, EncorpusError when a shard is missing or not of this plan and fingerprint, or another run has changed either.
    """
    refuse_changes(output, digest, fingerprint)
    committed = output.committed()
    units = units_of_plan(plan, committed)
    if unplanned := committed.difference(units, units_of_retired(plan, committed)):
        raise EncorpusError(_not_ours(output, min(unplanned), "no unit of the plan"))
    seen = _Seen(output, plan, fingerprint)
    # One by one: a footer says several times as much as its entry.
    entries = tuple(map(seen.entry, units, read_footers(output, units)))
    left = missing(plan, committed, [unit for unit in possible_ends(plan, committed) if unit in seen.last])
    if not left.nothing:
        raise EncorpusError(f"{output.uri}: shards vanished while the job ran; run the same command again")
    if seen.hole:
        raise EncorpusError(seen.hole)
    manifest = make_manifest(digest, fingerprint, entries)
    output.storage.settle(output.uri)
    # Reading the footers may take minutes.
    refuse_changes(output, digest, fingerprint)
    output.storage.write_atomic(output.manifest_uri, manifest_to_bytes(manifest))
    return manifest


def foreign(info: ShardInfo, unit: Unit, file: CorpusFile, fingerprint: str) -> str | None:
    """What shows that a shard, by its footer, is not the unit's of this plan, but was made by another job."""
    if info.file != file.uri:
        return f"of {info.file}"
    if info.version != file.version:
        return f"of {info.file} in another version than planned"
    if file.bounds is not None and (info.start, info.stop) != file.bounds[unit.slice : unit.slice + 2]:
        return f"of {info.file}, cut otherwise than planned"
    return None if info.fingerprint == fingerprint else "of another model or spec"


class _Seen:
    """Shards, as their footers come in order. last: the units that are their streamed file's last.

    hole: where a streamed file's slices, in order, do not begin at 0 and follow each other, or one follows the last.
    """

    def __init__(self, output: Output, plan: Plan, fingerprint: str) -> None:
        self.last: set[Unit] = set()
        self.hole: str | None = None
        self._output = output
        self._plan = plan
        self._fingerprint = fingerprint
        self._stops: dict[int, int | None] = {}

    def entry(self, unit: Unit, info: ShardInfo) -> ShardEntry:
        """The next shard's entry. Raises EncorpusError when it is another job's."""
        file = self._plan.files[unit.file]
        if wrong := foreign(info, unit, file, self._fingerprint):
            raise EncorpusError(_not_ours(self._output, unit, wrong))
        if file.streamed:
            if info.start != self._stops.get(unit.file, 0):
                self.hole = self.hole or _hole(self._output, unit, file)
            self._stops[unit.file] = None if info.last else info.stop
            if info.last:
                self.last.add(unit)
        return entry_of(info)


def _hole(output: Output, unit: Unit, file: CorpusFile) -> str:
    shards = output.storage.join(output.uri, f"part-{file.number:06d}-*.parquet")
    return (
        f"{shards}: these slices of {file.uri} do not follow each other at {unit.name}, so another run wrote "
        "some of them; delete them and run the same command again"
    )


def _not_ours(output: Output, unit: Unit, what: str) -> str:
    return f"{output.shard_uri(unit)}: {what}, so another run wrote it; delete it and run the same command again"


def make_manifest(digest: str, fingerprint: str, shards: Iterable[ShardEntry]) -> Manifest:
    """The manifest of these shards, which stand in order and are of one plan and fingerprint."""
    shards = tuple(shards)
    filled = [shard for shard in shards if shard.rows]
    rows = sum(shard.rows for shard in filled)
    return Manifest(
        plan=digest,
        fingerprint=fingerprint,
        units=len(shards),
        rows=rows,
        documents=sum(shard.documents for shard in shards),
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
    totals = {field.name: getattr(manifest, field.name) for field in fields(manifest) if field.name != "shards"}
    lines = [orjson.dumps(name) + b": " + orjson.dumps(value) for name, value in totals.items()]
    file = io.BytesIO()
    file.write(b"{\n" + b",\n".join([*lines, b'"shards": [\n']))
    for place, shard in enumerate(manifest.shards):
        file.write(b",\n" if place else b"")
        file.write(orjson.dumps(shard))
    file.write(b"\n]\n}\n")
    return file.getvalue()


def load_manifest(output: Output) -> Manifest | None:
    """The manifest; None when there is none, as long as no job came to its end.

    Raises StorageError when it is damaged.
    """
    data = output.storage.read_if_there(output.manifest_uri)
    if data is None:
        return None
    try:
        plain = orjson.loads(data)
        shards = tuple(_typed(ShardEntry(**shard)) for shard in plain["shards"])
        return _typed(Manifest(**{**plain, "shards": shards}))
    except (ValueError, TypeError, KeyError):
        raise StorageError(
            f"{output.manifest_uri}: not a manifest of encorpus; delete it and run the same embed command again"
        ) from None


_PLAIN_TYPES: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    tuple[ShardEntry, ...]: (tuple,),
}


def _typed(entry: Entry) -> Entry:
    """The entry, if its plain values are of its fields' types. Raises TypeError."""
    for field in fields(entry):
        if type(getattr(entry, field.name)) not in _PLAIN_TYPES[field.type]:
            raise TypeError(field.name)
    return entry
