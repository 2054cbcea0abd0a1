"""Checks of the manifest: it says of every shard what the shard says, and of the whole what the shards add up to."""

from collections.abc import Iterator, Mapping
from dataclasses import fields

from pipelines.output.manifest import Manifest, ShardEntry, entry_of, make_manifest
from pipelines.output.shard_info import ShardInfo
from pipelines.output.violation import AGAIN, Violation

MANIFEST = "_encorpus/manifest.json"


def check_manifest(
    manifest: Manifest | None, infos: Mapping[str, ShardInfo | None], digest: str, fingerprint: str
) -> Iterator[Violation]:
    """Compares the manifest of a complete output with its shards.

    infos: by unit name and in order, None for a shard that cannot be read. digest, fingerprint: of the plan, and of
    the encoder.
    """
    if manifest is None:
        yield Violation(MANIFEST, f"missing, though every unit has its shard; {AGAIN} to write it")
        return
    if manifest.plan != digest:
        yield Violation(MANIFEST, f"of an earlier plan, though every unit has its shard; {AGAIN} to write it")
        return
    for what in _untrue(manifest, infos, fingerprint):
        yield Violation(MANIFEST, f"{what}; delete it and {AGAIN} to write it anew")


def _untrue(manifest: Manifest, infos: Mapping[str, ShardInfo | None], fingerprint: str) -> Iterator[str]:
    """What it says that is not so; a worker that was late may have written a shard once more since."""
    if manifest.fingerprint != fingerprint:
        yield f"its fingerprint is {manifest.fingerprint[:16]}, job.json's {fingerprint[:16]}"
    entries = {entry.unit: entry for entry in manifest.shards}
    if len(entries) != len(manifest.shards):
        yield "lists some shards twice"
    for name in [name for name in infos if name not in entries]:
        yield f"does not list {name}"
    for name in [name for name in entries if name not in infos]:
        yield f"lists {name}, which is not there"
    for name, info in infos.items():
        if info is not None and name in entries and (wrong := _differing(entries[name], entry_of(info))):
            yield f"says of {name} otherwise than its footer: {wrong}"
    # The totals are those of its own entries, which are checked against the shards one by one.
    if wrong := _differing(manifest, make_manifest(manifest.plan, manifest.fingerprint, manifest.shards)):
        yield f"its totals are not those of its shards: {wrong}"


def _differing(one: Manifest | ShardEntry, other: Manifest | ShardEntry) -> str:
    """The names of the fields in which two records of one type differ."""
    return ", ".join(field.name for field in fields(one) if getattr(one, field.name) != getattr(other, field.name))
