"""A model handle becomes a folder on this machine, fetched once per node into a shared cache."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.encoder.model_cache import cached, entry_for, newest
from pipelines.encoder.source import Source, source_of
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
    try:
        source = source_of(handle, storage_options or {})
        if isinstance(source, Path):
            require_saved_model(source, handle)
            return source.resolve()
        version, entry = entry_of_now(handle, source)
        return entry if entry.is_dir() else _fetched(handle, source, version)
    except ModelError:
        raise
    except Exception as error:  # URLs, disks and the library of each store have errors of their own
        done = "fetched" if local_path(handle) is None else "read"
        raise ModelError(f"model {handle}: cannot be {done}: {reason_of(error)}") from error


def entry_of_now(handle: str, source: Source) -> tuple[str | None, Path]:
    """The source's version, and the cache's folder for it, there or not; while nobody can tell, the folder that was
    fetched last.

    Raises ModelError where no model is, and what the store's library raises.
    """
    try:
        version = source.version()
    except (ModelError, PermissionError):
        raise
    except Exception as error:
        before = newest(handle, source.place)
        if before is None:
            raise
        log.warning("model %s: %s; using what was fetched before, %s", handle, reason_of(error), before)
        return None, before
    return version, entry_for(handle, source.place, version)


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


def _fetched(handle: str, source: Source, version: str | None) -> Path:
    def fetch(folder: Path) -> None:
        source.copy_to(folder)
        if source.version() != version:
            raise ModelError(f"model {handle}: it changed while it was being fetched; run again")
        require_saved_model(folder, handle)

    return cached(handle, source.place, version, fetch)
