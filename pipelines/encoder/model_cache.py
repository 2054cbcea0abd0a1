"""The node's cache of fetched models.

Many processes may start at once: the first takes a kernel lock (flock) on the place's lock file and fetches; the
others wait for it and find the folder there. The kernel drops the lock of a process that dies, so nobody waits for a
dead downloader, and the folder appears by one rename, so nobody sees half a model.
"""

import fcntl
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from pipelines.cache_folder import cache_folder
from pipelines.errors import ModelError
from pipelines.store_errors import FULL
from pipelines.whole_folder import whole_folder


def cached(handle: str, place: str, version: str | None, fetch: Callable[[Path], None]) -> Path:
    """The folder with this version of what lies at a place, filled by `fetch` if it is not there yet.

    place: where the model is fetched from; it stands in the folder's name as a hash only. version: what changes with
    the content there, None where that never changes. Raises ModelError when the cache cannot be written, and whatever
    `fetch` raises.
    """
    final = entry_for(handle, place, version)
    models, stem = final.parent, _stem(handle, place)
    if final.is_dir():
        return final
    try:
        models.mkdir(parents=True, exist_ok=True)
        lock = (models / f"{stem}.lock").open("w")
    except OSError as error:
        raise _unusable(handle, models, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not final.is_dir():
                whole_folder(final, stem, fetch)
        except OSError as error:
            if error.errno in FULL:
                raise _unusable(handle, models, error) from error
            raise
    return final


def entry_for(handle: str, place: str, version: str | None) -> Path:
    """Where `cached` puts a version, there or not."""
    stem = _stem(handle, place)
    return models_folder() / (stem if version is None else f"{stem}-{_short_hash(version)}")


def newest(handle: str, place: str) -> Path | None:
    """The version of what lies at a place that was fetched last, None where none was."""
    versions = models_folder().glob(f"{_stem(handle, place)}-*")
    return max(versions, key=lambda folder: folder.stat().st_mtime_ns, default=None)


def entry_of(folder: Path) -> Path | None:
    """The cached model that a folder is or lies in, None for a folder elsewhere."""
    models = models_folder()
    return models / folder.relative_to(models).parts[0] if models in folder.parents else None


def models_folder() -> Path:
    """The folder of all fetched models, there or not."""
    return cache_folder() / "models"


def _stem(handle: str, place: str) -> str:
    """A name that tells people which model it is, and nothing that a URL's user or query may keep secret."""
    readable = handle.partition("?")[0].rstrip("/").rpartition("://")[2].rpartition("@")[2]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", readable)[-60:].strip("-")
    return f"{slug}-{_short_hash(place)}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unusable(handle: str, models: Path, error: OSError) -> ModelError:
    return ModelError(
        f"model {handle}: cannot be fetched into {models}: {error.strerror}; "
        "set ENCORPUS_CACHE to a folder that has room and can be written"
    )
