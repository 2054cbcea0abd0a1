"""A model at an fsspec URI, which may be another one tomorrow: what lies there now, and a copy of it."""

import json
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.encoder.archive import ARCHIVE_ENDINGS, unpack
from pipelines.encoder.parallel_copy import Source, copy_files
from pipelines.errors import ModelError
from pipelines.remote_files import RemoteFiles, version_of
from pipelines.retries import Retries, RetryPolicy


class RemoteModel:
    """A folder, or an archive, in a store. Its methods raise ModelError where no model is, and what the store raises.

    Not every store's library keeps to OSError: missing credentials, an unknown endpoint and wrong options have types
    of their own.
    """

    def __init__(self, uri: str, storage_options: Mapping[str, Any]) -> None:
        self._uri = uri
        self._options = storage_options
        self._store = RemoteFiles(storage_options, RetryPolicy(), Retries())
        self.is_archive = uri.endswith(ARCHIVE_ENDINGS)

    @property
    def place(self) -> str:
        """Other options may mean another store of the same name."""
        return json.dumps([self._uri, dict(self._options)], sort_keys=True, default=str)

    @cached_property
    def _located(self) -> tuple[Any, str]:
        """The filesystem, and the path in it."""
        import fsspec

        fs, path = fsspec.core.url_to_fs(self._uri, **self._options)
        return fs, path.rstrip("/")

    @property
    def _fs(self) -> Any:
        return self._located[0]

    @property
    def _path(self) -> str:
        return self._located[1]

    def version(self) -> str:
        """What is other when any file is: the names, sizes and ETags (or times of change) of the model's files."""
        return json.dumps(sorted([file["name"], file["size"], version_of(file)] for file in self._files()))

    def size(self) -> int:
        """Bytes of the model's files, or of its archive."""
        return sum(file["size"] for file in self._files())

    def _files(self) -> Collection[Mapping[str, Any]]:
        self._fs.invalidate_cache()
        graph = self._path if self.is_archive else f"{self._path}/saved_model.pb"
        try:
            # Asked for by itself, since a listing is empty both where nothing is and where nothing may be seen.
            files = [self._fs.info(graph)]
        except FileNotFoundError:
            missing = "no such archive" if self.is_archive else "not a SavedModel (there is no saved_model.pb in it)"
            raise ModelError(f"model {self._uri}: {missing}") from None
        return files if self.is_archive else self._fs.find(self._path, detail=True).values()

    def copy_to(self, folder: Path) -> None:
        """Copies the folder, or unpacks the archive."""
        if not self.is_archive:
            copy_files([self._source(file, folder) for file in self._files()], self._store.read_all_of)
            return
        (file,) = self._files()
        archive = folder / ".archive"
        copy_files([Source(self._fs.unstrip_protocol(file["name"]), file["size"], archive)], self._store.read_all_of)
        with archive.open("rb") as content:
            unpack(content, folder, self._uri)
        archive.unlink()

    def _source(self, file: Mapping[str, Any], folder: Path) -> Source:
        """A file of the model, and where it belongs in the folder."""
        name = file["name"][len(self._path) :].lstrip("/")
        if ".." in name.split("/"):
            raise ModelError(f"model {self._uri}: {name} would lie outside of it")
        return Source(self._fs.unstrip_protocol(file["name"]), file["size"], folder / name)
