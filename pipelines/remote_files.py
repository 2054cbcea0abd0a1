"""Files in stores, through fsspec: listing, reading, writing, each repeated while a failure may pass."""

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from pipelines import filesystems, s3_requests
from pipelines.errors import StorageError
from pipelines.filesystems import ANSWER_BYTES, is_s3, time_to_move
from pipelines.local_files import FileEntry, fixed_part, is_glob, is_hidden
from pipelines.remote_file import MAX_BLOCK_BYTES, RemoteFile
from pipelines.retries import Retries, RetryPolicy, repeated
from pipelines.s3_requests import S3Object
from pipelines.store_errors import ShortReadError, one_line_errors, server_answer

Result = TypeVar("Result")

# What filesystems call the thing that changes whenever the content does, surest first.
VERSION_KEYS = ("ETag", "etag", "mtime", "LastModified", "Last-Modified", "last_modified", "updated", "created")

NOT_THERE = (404, 410)
RANGE_BEHIND_THE_END = 416


@dataclass(frozen=True)
class RemoteFiles:
    """The files that URIs with a scheme name. Methods raise FileNotFoundError, what else the store's library raises
    for good, and StorageError after the last attempt. options: of fsspec."""

    options: Mapping[str, Any]
    policy: RetryPolicy
    retries: Retries

    def list_files(self, uri: str) -> list[FileEntry]:
        """As `local_files.list_files`."""
        fs, key = self._filesystem(uri)
        root = key
        if is_s3(fs):
            bucket, path, _ = fs.split_path(key)
            found = self._s3_objects(uri, bucket, path.rstrip("/"))
            if not found and is_glob(path):
                root = fixed_part(key)
                found = list(s3_requests.objects_matching(self._s3_call(uri, "list"), bucket, path))
            entries = [_s3_entry(fs, bucket, one) for one in found]
        else:
            if is_glob(key) and self._info(uri, "list") is None:
                root = fixed_part(key)
            entries = self._found(uri, root)
            # Some, as web servers' pages of links, tell names only.
            entries = [entry if entry.size >= 0 else self.entry(entry.uri) or entry for entry in entries]
        start = len(fs.unstrip_protocol(root))
        return sorted(entry for entry in entries if not is_hidden(entry.uri[start:].strip("/")))

    def entry(self, uri: str, verb: str = "look at") -> FileEntry | None:
        """The file's size and version now; None for a folder, and where nothing is. verb: what it is looked up for."""
        fs, key = self._filesystem(uri)
        if not is_s3(fs):
            info = self._info(uri, verb)
            return None if info is None or info["type"] != "file" else _entry(fs, info)
        bucket, path, _ = fs.split_path(key)
        if not path or path.endswith("/"):
            return None
        try:
            return _s3_entry(fs, bucket, s3_requests.head(self._s3_call(uri, verb), bucket, path))
        except FileNotFoundError:
            return None

    def read(self, uri: str) -> bytes:
        """The whole file, by one request, which is made again as a whole: its bytes are never those of two versions."""

        def work(fs: Any, key: str) -> bytes:
            if not is_s3(fs):
                return fs.cat_file(key, **time_to_move(fs))
            bucket, path, _ = fs.split_path(key)
            return s3_requests.whole_object(fs, bucket, path)

        return self._do(uri, "read", work)

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop), fewer where the file ends before; asked for in pieces of 8 MiB."""
        pieces: list[bytes] = []
        while start < stop:
            wanted = min(stop - start, MAX_BLOCK_BYTES)
            pieces.append(self._do(uri, "read", partial(_range, start=start, stop=start + wanted)))
            start += wanted
            if len(pieces[-1]) < wanted:
                break
        return b"".join(pieces)

    def read_all_of(self, uri: str, start: int, stop: int) -> bytes:
        """The bytes [start, stop), all of them, or StorageError."""

        def work(fs: Any, key: str) -> bytes:
            data = _range(fs, key, start, stop)
            if len(data) < stop - start:
                raise ShortReadError(f"it ends at byte {start + len(data):,}, and was longer when it was opened")
            return data

        # Here nobody is left to turn the store's errors into ours, and a decoder would take them for the file's.
        with one_line_errors(uri, "read"):
            return self._do(uri, "read", work)

    def open(self, uri: str) -> io.RawIOBase:
        """The file, seekable. Its size is that of now: an end that comes sooner is an error, and no end."""
        entry = self.entry(uri, "read")
        if entry is None:
            raise FileNotFoundError("no such file")
        if entry.size < 0:
            raise StorageError(f"{uri}: cannot read: the server does not tell its size; copy it to another place")
        return RemoteFile(uri, entry.size, partial(self.read_all_of, uri))

    def names(self, folder_uri: str) -> list[str]:
        """The names directly in a folder, sorted; none if there is no such folder."""
        fs, key = self._filesystem(folder_uri)
        try:
            if not is_s3(fs):
                return self._do(folder_uri, "list", _names)
            bucket, path, _ = fs.split_path(key)
            prefix = f"{path.rstrip('/')}/".lstrip("/")
            here = s3_requests.level(self._s3_call(folder_uri, "list"), bucket, prefix)
        except FileNotFoundError:
            return []
        paths = [*(one.key for one in here.objects), *(folder.rstrip("/") for folder in here.folders)]
        return sorted(path[len(prefix) :] for path in paths)

    def write(self, uri: str, data: bytes) -> None:
        """Puts the whole content there or nothing."""
        fs, key = self._filesystem(uri)
        if is_s3(fs) and len(data) <= s3_requests.MAX_PUT_BYTES:
            bucket, path, _ = fs.split_path(key)
            self._s3_call(uri, "write")("put_object", Bucket=bucket, Key=path, Body=data)
        else:
            self._do(uri, "write", lambda fs, key: fs.pipe_file(key, data, **time_to_move(fs, len(data))))

    def delete(self, uri: str) -> None:
        """Removes the file, if it is there."""
        with suppress(FileNotFoundError):
            self._do(uri, "delete", lambda fs, key: fs.rm_file(key, **time_to_move(fs, ANSWER_BYTES)))

    def sweep(self, folder_uri: str) -> None:
        """Ends uploads in parts that were abandoned below the folder, where the store has such and lets us."""
        fs, key = self._filesystem(folder_uri)
        if not is_s3(fs):
            return
        bucket, path, _ = fs.split_path(key)
        # Many a user may write, but not do this; nothing depends on it.
        with suppress(OSError, StorageError):
            s3_requests.abort_abandoned(self._s3_call(folder_uri, "clean"), bucket, f"{path.rstrip('/')}/".lstrip("/"))

    def _s3_objects(self, uri: str, bucket: str, path: str) -> list[S3Object]:
        """The objects of the folder, or the one with this very key."""
        call = self._s3_call(uri, "list")
        below = list(s3_requests.objects_below(call, bucket, f"{path}/".lstrip("/")))
        if below or not path:
            return below
        try:
            return [s3_requests.head(call, bucket, path)]
        except FileNotFoundError:
            return []

    def _found(self, uri: str, root: str) -> list[FileEntry]:
        """What a filesystem other than S3 finds. root: the URI's path, or the folder that it starts from as a glob."""
        try:
            found = self._do(uri, "list", partial(_find, root=root))
        except (FileNotFoundError, NotADirectoryError):
            found = []
        if found:
            return found
        file = self.entry(uri, "list")
        return [] if file is None else [file]

    def _info(self, uri: str, verb: str) -> dict[str, Any] | None:
        """What the filesystem says of a file or folder; None where nothing is."""
        try:
            return self._do(uri, verb, lambda fs, key: fs.info(key, **time_to_move(fs, ANSWER_BYTES)))
        except (FileNotFoundError, NotADirectoryError) as error:
            # fsspec says so of all that a web server answers.
            if error.__cause__ is not None and server_answer(error)[1] not in (None, *NOT_THERE):
                raise error.__cause__ from None
            return None

    def _s3_call(self, uri: str, verb: str) -> s3_requests.Call:
        def call(*request: str, **parts: Any) -> dict[str, Any]:
            size = max(len(parts.get("Body", b"")), ANSWER_BYTES)
            return self._do(uri, verb, lambda fs, key: fs.call_s3(*request, **parts, **time_to_move(fs, size)))

        return call

    def _do(self, uri: str, verb: str, work: Callable[[Any, str], Result]) -> Result:
        """One operation, given the filesystem and the URI's path in it; repeated."""
        fs, key = self._filesystem(uri)

        def renew() -> None:
            nonlocal fs
            filesystems.renew(uri, self.options, fs)
            fs, _ = self._filesystem(uri)

        return repeated(lambda: work(fs, key), renew, self.policy, self.retries, uri, verb)

    def _filesystem(self, uri: str) -> tuple[Any, str]:
        return filesystems.filesystem(uri, self.options)


def version_of(info: Mapping[str, Any]) -> str:
    """What a filesystem says of a file that changes whenever its content does; empty where it says nothing."""
    stamp = next((info[key] for key in VERSION_KEYS if info.get(key) is not None), "")
    return stamp.isoformat() if isinstance(stamp, datetime) else str(stamp).strip('"')


def _entry(fs: Any, info: Mapping[str, Any]) -> FileEntry:
    """size: -1 where the filesystem does not tell."""
    size = info["size"]
    return FileEntry(fs.unstrip_protocol(info["name"]), -1 if size is None else size, version_of(info))


def _s3_entry(fs: Any, bucket: str, one: S3Object) -> FileEntry:
    return FileEntry(fs.unstrip_protocol(f"{bucket}/{one.key}"), one.size, one.etag)


def _find(fs: Any, key: str, root: str) -> list[FileEntry]:
    """The files below a folder; or those that a glob matches, and those below the folders that it matches.

    root: as for `_found`. Raises FileNotFoundError or NotADirectoryError where no folder is at the root.
    """
    limit = time_to_move(fs)
    try:
        found = fs.glob(key, detail=True, **limit) if root != key else fs.find(key, detail=True, **limit)
        for name in [name for name, info in found.items() if info.get("type") == "directory"]:
            found |= fs.find(name, detail=True, **limit)
    except (FileNotFoundError, NotADirectoryError) as error:
        fs.ls(root, detail=False, **limit)
        # The root is there. A folder in it went away, or never was, and nobody knows what it should have held.
        raise OSError(f"no folder is there any more: {error}") from None
    return [_entry(fs, info) for info in found.values() if info.get("type") == "file"]


def _names(fs: Any, key: str) -> list[str]:
    found = [name.rstrip("/") for name in fs.ls(key, detail=False, **time_to_move(fs))]
    return sorted(name.rsplit("/", 1)[-1] for name in found if name != key.rstrip("/"))


def _range(fs: Any, key: str, start: int, stop: int) -> bytes:
    try:
        data = fs.cat_file(key, start=start, end=stop, **time_to_move(fs, stop - start))
    except Exception as error:
        if server_answer(error)[1] == RANGE_BEHIND_THE_END:
            return b""
        raise
    if len(data) > stop - start:
        raise NotImplementedError("the server gives no parts of files (HTTP ranges); copy them to another place")
    return data
