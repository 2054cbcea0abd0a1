"""Where bytes lie: local files, and through fsspec any object store.

Nothing else opens either, but for models, which `encoder/remote.py` looks for and copies as whole folders.

Every OSError becomes a StorageError of one line that names the URI, here and while reading an opened file.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from pipelines import local_files
from pipelines.errors import StorageError, UsageError
from pipelines.local_files import FileEntry, local_path
from pipelines.remote_files import RemoteFiles
from pipelines.retries import Retries, RetryPolicy
from pipelines.store_errors import one_line_errors

__all__ = ["FileEntry", "RetryPolicy", "Storage"]

READ_BUFFER = 1 << 17


@dataclass(frozen=True)
class Storage:
    """Lists, reads and writes files at local paths and fsspec URIs; picklable, so it travels to workers.

    options: fsspec storage options for URIs with a scheme. policy: how operations of stores are repeated while they
    fail. retries: counts that, in this process. All methods raise StorageError when the store fails for good, and
    UsageError for a scheme that fsspec does not know.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    retries: Retries = field(default_factory=Retries, compare=False, repr=False)

    def list_files(self, uri: str) -> Iterator[FileEntry]:
        """The file, the files of the folder (recursive) or those the glob matches, sorted by URI.

        Below the folder or the glob's fixed part, names that start with `_` or `.` are skipped. Local URIs come
        out as absolute paths. Raises UsageError when nothing is there.
        """
        path = local_path(uri)
        with one_line_errors(uri, "list"):
            entries = local_files.list_files(path) if path is not None else self._remote.list_files(uri)
        if not entries:
            raise UsageError(f"{uri}: no files there; give a file, a folder or a quoted glob that holds some")
        return iter(entries)

    def entry(self, uri: str) -> FileEntry | None:
        """The file's size and version now; None if there is no such file."""
        path = local_path(uri)
        with one_line_errors(uri, "look at"):
            if path is None:
                return self._remote.entry(uri)
            try:
                return local_files.entry(path)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def exists(self, uri: str) -> bool:
        """Whether a file is there."""
        return self.entry(uri) is not None

    def open(self, uri: str) -> BinaryIO:
        """The file's raw bytes, seekable. Reading raises StorageError too."""
        path = local_path(uri)
        with one_line_errors(uri, "read"):
            raw = self._remote.open(uri) if path is None else _LocalFile(path.open("rb", buffering=0), uri)
        return cast(BinaryIO, io.BufferedReader(raw, READ_BUFFER))

    def read_bytes(self, uri: str) -> bytes:
        """The whole file, as it was at one moment, for one request."""
        path = local_path(uri)
        with one_line_errors(uri, "read"):
            return self._remote.read(uri) if path is None else path.read_bytes()

    def read_if_there(self, uri: str) -> bytes | None:
        """The whole file; None if there is no such file, which is not asked before."""
        try:
            return self.read_bytes(uri)
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                return None
            raise

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop), fewer where the file ends before."""
        path = local_path(uri)
        with one_line_errors(uri, "read"):
            if path is None:
                return self._remote.read_range(uri, start, stop)
            with path.open("rb") as handle:
                handle.seek(start)
                return handle.read(stop - start)

    def names(self, folder_uri: str) -> list[str]:
        """The names directly in a folder, sorted, by one listing; none if there is no such folder."""
        path = local_path(folder_uri)
        with one_line_errors(folder_uri, "list"):
            if path is None:
                return self._remote.names(folder_uri)
            try:
                return sorted(child.name for child in path.iterdir())
            except FileNotFoundError:
                return []

    def write_atomic(self, uri: str, data: bytes | memoryview, lasting: bool = True) -> None:
        """Puts the whole content there or nothing: one PUT, or locally a synced temporary file and a rename.

        Local parent folders are made. When it returns, a local file survives a power cut; where it need not be
        `lasting`, it does so from the next `settle` of its folder on, and until then is there whole or not at all.
        """
        path = local_path(uri)
        with one_line_errors(uri, "write"):
            if path is not None:
                local_files.write_atomic(path, data, sync_folder=lasting)
            else:
                self._remote.write(uri, bytes(data))

    def settle(self, folder_uri: str) -> None:
        """Makes what is in a local folder survive a power cut, however it was written."""
        path = local_path(folder_uri)
        if path is not None:
            with one_line_errors(folder_uri, "sync"):
                local_files.sync(path)

    def delete(self, uri: str) -> None:
        """Removes the file, if it is there."""
        path = local_path(uri)
        with one_line_errors(uri, "delete"):
            if path is not None:
                path.unlink(missing_ok=True)
            else:
                self._remote.delete(uri)

    def sweep(self, folder_uri: str, *inner_uris: str) -> None:
        """Removes what writers that died half-way left: local files directly in the folder and in those inside it that
        are named, those of other machines after a day; in S3, uploads in parts anywhere below the folder that began
        over a day ago."""
        paths = [local_path(uri) for uri in (folder_uri, *inner_uris)]
        with one_line_errors(folder_uri, "clean"):
            if paths[0] is None:
                self._remote.sweep(folder_uri)
            for path in filter(None, paths):
                local_files.sweep(path)

    def join(self, uri: str, *parts: str) -> str:
        """The URI of something below a folder."""
        return "/".join([uri.rstrip("/") or "", *parts])

    @property
    def _remote(self) -> RemoteFiles:
        return RemoteFiles(self.options, self.policy, self.retries)


class _LocalFile(io.RawIOBase):
    """An open file whose errors are StorageErrors, so that they differ from a decoder's complaints."""

    def __init__(self, handle: Any, uri: str) -> None:
        self._handle = handle
        self._uri = uri

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with one_line_errors(self._uri, "read"):
            return self._handle.readinto(buffer)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with one_line_errors(self._uri, "read"):
            return self._handle.seek(offset, whence)

    def tell(self) -> int:
        return self._handle.tell()

    def close(self) -> None:
        if not self.closed:
            self._handle.close()
        super().close()
