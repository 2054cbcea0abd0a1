"""Whether a model is on this machine already, and how large it is, without fetching it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.encoder.archive import ARCHIVE_ENDINGS
from pipelines.encoder.download import archive_bytes
from pipelines.encoder.model_cache import entry_for
from pipelines.encoder.remote import RemoteModel
from pipelines.encoder.resolve import archive_version, place_of, reason_of, require_saved_model
from pipelines.errors import ModelError
from pipelines.local_files import local_path


@dataclass(frozen=True)
class Presence:
    """here: whether nothing is to be fetched. bytes: of the model, or of its archive; None where nobody tells."""

    here: bool
    bytes: int | None
    archive: bool = False


def presence(handle: str, storage_options: Mapping[str, Any] | None = None) -> Presence:
    """Looks for the handle's model here, and asks its store. Raises ModelError as `resolve_model` does."""
    path, options = local_path(handle), storage_options or {}
    try:
        if path is not None and handle.endswith(ARCHIVE_ENDINGS) and path.is_file():
            entry = entry_for(handle, str(path.resolve()), archive_version(path))
            return _found(entry) or Presence(False, path.stat().st_size, archive=True)
        if path is not None:
            require_saved_model(path, handle)
            return Presence(True, _bytes_in(path))
        if handle.lower().startswith(("http://", "https://")):
            return _found(entry_for(handle, handle, None)) or Presence(False, archive_bytes(handle), archive=True)
        model = RemoteModel(handle, options)
        entry = entry_for(handle, place_of(handle, options), model.version())
        return _found(entry) or Presence(False, model.size(), archive=model.is_archive)
    except ModelError:
        raise
    except Exception as error:  # of each store's library
        raise ModelError(f"model {handle}: cannot be looked at: {reason_of(error)}") from error


def _found(entry: Path) -> Presence | None:
    return Presence(True, _bytes_in(entry)) if entry.is_dir() else None


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
