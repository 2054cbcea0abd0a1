"""The models on a machine: there already, or to be fetched into a cache that can be written and has room."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.doctor.finding import Finding, failure, ok, warning
from cluster.doctor.machine import disk_of
from pipelines.encoder.model_cache import models_folder
from pipelines.encoder.presence import Presence, presence
from pipelines.errors import ModelError
from pipelines.numbers import size

ABOUT = "model"
# An archive lies beside what is unpacked from it, which is larger.
TIMES_AN_ARCHIVE = 3


def check_cache(needed: bool = True, folder: Path | None = None) -> Iterator[Finding]:
    """Whether the cache can be written, by default this machine's. needed: whether anything has to be."""
    folder = folder or models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"probe")
    except OSError as error:
        advice = "set ENCORPUS_CACHE on every node to a folder that has room and can be written"
        kind = failure if needed else warning
        yield kind("cache", f"{folder}: cannot be written: {error.strerror}", advice)
    else:
        yield ok("cache", f"{folder}: can be written")


def look(handles: Sequence[str], storage_options: Mapping[str, Any]) -> dict[str, Presence | ModelError]:
    """What there is of each model, or why it cannot be had here."""
    found: dict[str, Presence | ModelError] = {}
    for handle in handles:
        try:
            found[handle] = presence(handle, storage_options)
        except ModelError as error:
            found[handle] = error
    return found


def check_models(found: Mapping[str, Presence | ModelError], free: int | None = None) -> Iterator[Finding]:
    """found: by handle, as `look` gives it. free: bytes on the cache's disk; None: as it is."""
    if free is None:
        free = disk_of(models_folder()).free
    needed = 0
    for handle, one in found.items():
        if isinstance(one, ModelError):
            advice = "name one that every node can have: in object storage, at a URL, or in a folder that all mount"
            yield failure(ABOUT, str(one), advice)
        elif one.here:
            yield ok(ABOUT, f"{handle}: is here, {size(one.bytes or 0)}")
        else:
            needed += bytes_needed(one)
            told = size(one.bytes) if one.bytes is not None else "of a size that nobody tells"
            yield ok(ABOUT, f"{handle}: will be fetched when the first worker starts, {told}")
    if needed > free:
        found_told = f"fetching the models needs about {size(needed)}, and {size(free)} is free"
        yield failure("cache", found_told, "make room, or set ENCORPUS_CACHE to a larger disk")
    elif needed > free / 2:
        found_told = f"fetching the models needs about {size(needed)} of {size(free)} that is free"
        yield warning("cache", found_told, "make room, or set ENCORPUS_CACHE to a larger disk")


def bytes_needed(one: Presence) -> int:
    """What the disk has to have for a model that is not here."""
    return 0 if one.here else (one.bytes or 0) * (TIMES_AN_ARCHIVE if one.archive else 1)
