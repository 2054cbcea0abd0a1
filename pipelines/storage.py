"""Where bytes lie: local files, and through fsspec any object store.

Nothing else opens either, but for models, which `encoder/remote.py` copies as whole folders.

Every OSError becomes a StorageError of one line that names the URI, here and while reading an opened file.
"""

import errno
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, cast

from pipelines import local_files
from pipelines.errors import EncorpusError, StorageError, StorageFullError, UsageError
from pipelines.local_files import FileEntry, is_hidden, local_path

__all__ = ["FileEntry", "Storage"]

# What filesystems call the thing that changes whenever the content does, surest first.
VERSION_KEYS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")
READ_BUFFER = 1 << 17

# What a write fails with when every other one will fail too.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Storage:
    """Lists, reads and writes files at local paths and fsspec URIs; picklable, so it travels to workers.

    options: fsspec storage options for URIs with a scheme. All methods raise StorageError when the store fails,
    and UsageError for a scheme that fsspec does not know.
    """

    options: Mapping[str, Any] = field(default_factory=dict)

    def list_files(self, uri: str) -> Iterator[FileEntry]:
        """The file, the files of the folder (recursive) or those the glob matches, sorted by URI.

        Below the folder or the glob's fixed part, names that start with `_` or `.` are skipped. Local URIs come
        out as absolute paths. Raises UsageError when nothing is there.
        """
        path = local_path(uri)
        with _one_line_errors(uri, "list"):
            entries = local_files.list_files(path) if path is not None else self._list_remote(uri)
        if not entries:
            raise UsageError(f"{uri}: no files there; give a file, a folder or a quoted glob that holds some")
        return iter(entries)

    def entry(self, uri: str) -> FileEntry | None:
        """The file's size and version now; None if there is no such file."""
        path = local_path(uri)
        with _one_line_errors(uri, "look at"):
            try:
                if path is not None:
                    return local_files.entry(path)
                fs, key = self._remote(uri)
                # Filesystems answer from their last listing, which knows nothing of what others have written since.
                fs.invalidate_cache(key.rpartition("/")[0])
                info = fs.info(key)
                return _remote_entry(fs, info) if info["type"] == "file" else None
            except (FileNotFoundError, NotADirectoryError):
                return None

    def exists(self, uri: str) -> bool:
        """Whether a file is there."""
        return self.entry(uri) is not None

    def open(self, uri: str) -> BinaryIO:
        """The file's raw bytes, seekable. Reading raises StorageError too."""
        path = local_path(uri)
        with _one_line_errors(uri, "read"):
            if path is not None:
                handle: Any = path.open("rb", buffering=0)
            else:
                fs, key = self._remote(uri)
                handle = fs.open(key, "rb")
        return cast(BinaryIO, io.BufferedReader(_StoredFile(handle, uri), READ_BUFFER))

    def read_bytes(self, uri: str) -> bytes:
        """The whole file."""
        path = local_path(uri)
        with _one_line_errors(uri, "read"):
            if path is not None:
                return path.read_bytes()
            fs, key = self._remote(uri)
            return fs.cat_file(key)

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop), fewer where the file ends before."""
        path = local_path(uri)
        with _one_line_errors(uri, "read"):
            if path is not None:
                with path.open("rb") as handle:
                    handle.seek(start)
                    return handle.read(stop - start)
            fs, key = self._remote(uri)
            return fs.cat_file(key, start=start, end=stop)

    def names(self, folder_uri: str) -> list[str]:
        """The names directly in a folder, sorted, by one listing; none if there is no such folder."""
        path = local_path(folder_uri)
        with _one_line_errors(folder_uri, "list"):
            try:
                if path is not None:
                    return sorted(child.name for child in path.iterdir())
                fs, key = self._remote(folder_uri)
                fs.invalidate_cache(key)
                found = [name.rstrip("/") for name in fs.ls(key, detail=False)]
                return sorted(name.rsplit("/", 1)[-1] for name in found if name != key.rstrip("/"))
            except FileNotFoundError:
                return []

    def write_atomic(self, uri: str, data: bytes | memoryview, lasting: bool = True) -> None:
        """Puts the whole content there or nothing: one PUT, or locally a synced temporary file and a rename.

        Local parent folders are made. When it returns, a local file survives a power cut; where it need not be
        `lasting`, it does so from the next `settle` of its folder on, and until then is there whole or not at all.
        """
        path = local_path(uri)
        with _one_line_errors(uri, "write"):
            if path is not None:
                local_files.write_atomic(path, data, sync_folder=lasting)
            else:
                fs, key = self._remote(uri)
                fs.pipe_file(key, bytes(data))

    def settle(self, folder_uri: str) -> None:
        """Makes what is in a local folder survive a power cut, however it was written."""
        path = local_path(folder_uri)
        if path is not None:
            with _one_line_errors(folder_uri, "sync"):
                local_files.sync(path)

    def delete(self, uri: str) -> None:
        """Removes the file, if it is there."""
        path = local_path(uri)
        with _one_line_errors(uri, "delete"):
            if path is not None:
                path.unlink(missing_ok=True)
                return
            fs, key = self._remote(uri)
            try:
                fs.rm_file(key)
            except FileNotFoundError:
                return

    def sweep(self, folder_uri: str) -> None:
        """Removes what local writers of this machine that died half-way left directly in the folder."""
        path = local_path(folder_uri)
        if path is not None:
            with _one_line_errors(folder_uri, "clean"):
                local_files.sweep(path)

    def join(self, uri: str, *parts: str) -> str:
        """The URI of something below a folder."""
        return "/".join([uri.rstrip("/") or "", *parts])

    def _remote(self, uri: str) -> tuple[Any, str]:
        import fsspec

        try:
            return fsspec.core.url_to_fs(uri, **self.options)
        except (ValueError, ImportError) as error:
            raise UsageError(f"{uri}: {_cause(error)}") from None

    def _list_remote(self, uri: str) -> list[FileEntry]:
        fs, key = self._remote(uri)
        fs.invalidate_cache()
        if local_files.is_glob(key) and not fs.exists(key):
            root = local_files.fixed_part(key)
            found = fs.glob(key, detail=True)
        else:
            root = key
            found = fs.find(key, detail=True)
        return sorted(
            _remote_entry(fs, info)
            for name, info in found.items()
            if info["type"] == "file" and not is_hidden(name[len(root) :].strip("/"))
        )


class _StoredFile(io.RawIOBase):
    """An open file whose errors are StorageErrors, so that they differ from a decoder's complaints."""

    def __init__(self, handle: Any, uri: str) -> None:
        self._handle = handle
        self._uri = uri

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _one_line_errors(self._uri, "read"):
            return self._handle.readinto(buffer)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with _one_line_errors(self._uri, "read"):
            return self._handle.seek(offset, whence)

    def tell(self) -> int:
        return self._handle.tell()

    def close(self) -> None:
        if not self.closed:
            self._handle.close()
        super().close()


def _remote_entry(fs: Any, info: Mapping[str, Any]) -> FileEntry:
    return FileEntry(fs.unstrip_protocol(info["name"]), info["size"] or 0, version_of(info))


def version_of(info: Mapping[str, Any]) -> str:
    """What a filesystem says of a file that changes whenever its content does; empty where it says nothing."""
    stamp = next((info[key] for key in VERSION_KEYS if info.get(key) is not None), "")
    return stamp.isoformat() if isinstance(stamp, datetime) else str(stamp).strip('"')


@contextmanager
def _one_line_errors(uri: str, verb: str) -> Iterator[None]:
    try:
        yield
    except EncorpusError:
        raise
    except OSError as error:
        if verb == "write" and error.errno in FULL:
            remedy = "make it writable" if error.errno == errno.EROFS else "make room"
            raise StorageFullError(f"{uri}: cannot write: {_cause(error)}; {remedy} and run again") from error
        raise StorageError(f"{uri}: cannot {verb}: {_cause(error)}") from error
    except Exception as error:  # each store's library has errors of its own: no credentials, no such endpoint
        if local_path(uri) is not None:
            raise
        raise StorageError(f"{uri}: cannot {verb}: {type(error).__name__}: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    where = getattr(error, "filename", None)
    return " ".join(str(text).split())[:300] + (f" ({where})" if where else "")
