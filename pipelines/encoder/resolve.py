"""A model handle becomes a folder on this machine, fetched once per node into a shared cache."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipelines.encoder.archive import ARCHIVE_ENDINGS, unpack
from pipelines.encoder.download import download
from pipelines.encoder.model_cache import cached, newest
from pipelines.encoder.remote import RemoteModel
from pipelines.errors import EncorpusError, ModelError
from pipelines.local_files import local_path

log = logging.getLogger(__name__)

REASON_LENGTH = 200


def resolve_model(handle: str, storage_options: Mapping[str, Any] | None = None) -> Path:
    """The local folder that holds the handle's SavedModel.

    An archive and an fsspec URI are fetched anew when something else lies there; an http(s) handle names one model
    for ever, as TF-Hub's versions do. Raises ModelError when nothing is there, it cannot be fetched, or it is no
    SavedModel.
    """
    path = local_path(handle)
    try:
        if path is not None:
            return _local(handle, path)
        if handle.lower().startswith(("http://", "https://")):
            return _fetched(handle, handle, None, lambda folder: download(handle, folder))
        return _remote(handle, storage_options or {})
    except ModelError:
        raise
    except Exception as error:  # URLs, disks and the library of each store have errors of their own
        done = "fetched" if path is None else "read"
        raise ModelError(f"model {handle}: cannot be {done}: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """An error in one short line: with its type where the text alone may mean anything, with the file it is about."""
    if isinstance(error, EncorpusError):
        return str(error)
    text = str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)
    told = " ".join(text.split())[:REASON_LENGTH]
    if not isinstance(error, OSError | ValueError | ImportError) or not told:
        told = f"{type(error).__name__}: {told}".removesuffix(": ")
    file = getattr(error, "filename", None)
    return f"{told} ({file})" if file else told


def place_of(uri: str, storage_options: Mapping[str, Any]) -> str:
    """What the cache takes for one place: other options may mean another store of the same name."""
    return json.dumps([uri, dict(storage_options)], sort_keys=True, default=str)


def archive_version(path: Path) -> str:
    """What is other when a local archive is."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def require_saved_model(folder: Path, handle: str) -> None:
    """ModelError where no SavedModel is in the folder, with what is there instead."""
    if (folder / "saved_model.pb").is_file():
        return
    if not folder.exists():
        raise ModelError(f"model {handle}: no such folder")
    if (folder / "config.json").is_file() or list(folder.glob("*.index")):
        raise ModelError(
            f"model {handle}: a checkpoint, not a SavedModel; run `encorpus package {handle} -o DIR` first"
        )
    raise ModelError(f"model {handle}: not a SavedModel (there is no saved_model.pb in it)")


def _local(handle: str, path: Path) -> Path:
    if handle.endswith(ARCHIVE_ENDINGS) and path.is_file():
        version = archive_version(path)
        return _fetched(handle, str(path.resolve()), version, lambda folder: _unpack_file(path, folder))
    require_saved_model(path, handle)
    return path.resolve()


def _remote(uri: str, storage_options: Mapping[str, Any]) -> Path:
    place = place_of(uri, storage_options)
    try:
        model = RemoteModel(uri, storage_options)
        version = model.version()
    except (ModelError, PermissionError):
        raise
    except Exception as error:
        before = newest(uri, place)
        if before is None:
            raise
        log.warning("model %s: %s; using what was fetched before, %s", uri, reason_of(error), before)
        return before

    def copy(folder: Path) -> None:
        model.copy_to(folder)
        if model.version() != version:
            raise ModelError(f"model {uri}: it changed while it was being fetched; run again")

    return _fetched(uri, place, version, copy)


def _fetched(handle: str, place: str, version: str | None, fill: Callable[[Path], None]) -> Path:
    def fetch(folder: Path) -> None:
        fill(folder)
        require_saved_model(folder, handle)

    return cached(handle, place, version, fetch)


def _unpack_file(path: Path, folder: Path) -> None:
    with path.open("rb") as archive:
        unpack(archive, folder, str(path))
