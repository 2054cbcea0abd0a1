"""Whether a model is on this machine already, and how large it is, without fetching it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.encoder.resolve import entry_of_now, reason_of, require_saved_model
from pipelines.encoder.source import source_of
from pipelines.errors import ModelError


@dataclass(frozen=True)
class Presence:
    """here: whether nothing is to be fetched. bytes: of the model, or of its archive; None where nobody tells."""

    here: bool
    bytes: int | None
    archive: bool = False


def presence(handle: str, storage_options: Mapping[str, Any] | None = None) -> Presence:
    """Looks for the handle's model here, and asks its store. Raises ModelError as `resolve_model` does."""
    try:
        source = source_of(handle, storage_options or {})
        if isinstance(source, Path):
            require_saved_model(source, handle)
            return Presence(True, _bytes_in(source))
        _, entry = entry_of_now(handle, source)
        if entry.is_dir():
            return Presence(True, _bytes_in(entry))
        return Presence(False, source.size(), source.is_archive)
    except ModelError:
        raise
    except Exception as error:  # of each store's library
        raise ModelError(f"model {handle}: cannot be looked at: {reason_of(error)}") from error


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
