"""Where a model handle leads: to a folder on this machine, or to what the node's cache is filled from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipelines.encoder.archive import ARCHIVE_ENDINGS, unpack
from pipelines.encoder.download import archive_bytes, download
from pipelines.encoder.remote import RemoteModel
from pipelines.local_files import local_path


class Source(Protocol):
    """A model to be fetched. Its methods raise ModelError where none is, and what the store's library raises."""

    @property
    def place(self) -> str:
        """What the cache takes for one place."""
        ...

    @property
    def is_archive(self) -> bool: ...

    def version(self) -> str | None:
        """What is other when the model is; None where it never is."""
        ...

    def size(self) -> int | None:
        """Bytes of its files, or of its archive; None where nobody tells."""
        ...

    def copy_to(self, folder: Path) -> None:
        """Puts its files there."""
        ...


@dataclass(frozen=True)
class LocalArchive:
    """An archive on this machine."""

    path: Path

    @property
    def place(self) -> str:
        return str(self.path.resolve())

    @property
    def is_archive(self) -> bool:
        return True

    def version(self) -> str:
        """Size and time of change."""
        status = self.path.stat()
        return f"{status.st_size} {status.st_mtime_ns}"

    def size(self) -> int:
        return self.path.stat().st_size

    def copy_to(self, folder: Path) -> None:
        with self.path.open("rb") as archive:
            unpack(archive, folder, str(self.path))


@dataclass(frozen=True)
class WebArchive:
    """What an http(s) handle names: one model for ever, as TF-Hub's versions do."""

    place: str

    @property
    def is_archive(self) -> bool:
        return True

    def version(self) -> None:
        return None

    def size(self) -> int | None:
        return archive_bytes(self.place)

    def copy_to(self, folder: Path) -> None:
        download(self.place, folder)


def source_of(handle: str, storage_options: Mapping[str, Any]) -> Path | Source:
    """The folder that a handle names, there or not, or its source."""
    path = local_path(handle)
    if path is not None:
        return LocalArchive(path) if handle.endswith(ARCHIVE_ENDINGS) and path.is_file() else path
    if handle.lower().startswith(("http://", "https://")):
        return WebArchive(handle)
    return RemoteModel(handle, storage_options)
