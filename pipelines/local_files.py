"""Files on a local disk: listing them, and writing one so that it is there whole or not at all."""

import errno
import glob
import os
import re
import secrets
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import UsageError

TEMPORARY = re.compile(r"\..+\.(?P<host>[^.]*)\.(?P<pid>\d+)\.[0-9a-f]+\.tmp")

# Nobody writes one file for so long.
ABANDONED_SECONDS = 86_400


class FileEntry(NamedTuple):
    """A file as a listing shows it. version: its ETag where the store has one, else its time of change."""

    uri: str
    size: int
    version: str


def local_path(uri: str) -> Path | None:
    """The absolute path that a path or a file:// URI means; None for the URI of another scheme.

    Raises UsageError for a file:// URI whose path is not absolute.
    """
    path = uri.removeprefix("file://")
    if path == uri and "://" in uri:
        return None
    if path != uri and not path.startswith("/"):
        raise UsageError(f"{uri}: file:// needs an absolute path, as in file:///data; or leave it out")
    # Unlike Path's methods, these follow no links, and leave the home of an unknown user as it is.
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111


def absolute(uri: str) -> str:
    """A local path as an absolute one, any other URI as it is."""
    return str(local_path(uri) or uri)


def entry(path: Path) -> FileEntry | None:
    """The file's size, and its mtime in nanoseconds as version; None for a folder, a pipe or a device."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return None
    return FileEntry(str(path), status.st_size, str(status.st_mtime_ns))


def list_files(path: Path) -> list[FileEntry]:
    """The file, the folder's files or the glob's matches, sorted; none where nothing is."""
    if path.is_dir():
        found = _walk(path)
    elif path.exists():
        found = [path]
    elif not is_glob(str(path)):
        found = []
    else:
        root = fixed_part(str(path))
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob wants a relative pattern
        shown = [Path(match) for match in matches if not is_hidden(match[len(root) :].strip("/"))]
        found = [file for match in shown for file in (_walk(match) if match.is_dir() else [match])]
    return sorted(_regular(file) for file in dict.fromkeys(found))


def _regular(path: Path) -> FileEntry:
    """The entry of a file that a listing found, lest a pipe's rows be left out unseen."""
    found = entry(path)
    if found is None:
        raise UsageError(f"{path}: a pipe, socket or device, no file; save what it gives as a file, or leave it out")
    return found


def is_glob(path: str) -> bool:
    """Whether the path holds any of the characters of a glob."""
    return glob.has_magic(path)


def fixed_part(pattern: str) -> str:
    """The folder that a glob starts from: the path before its first part with a special character."""
    parts = pattern.split("/")
    fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:fixed])


def is_hidden(relative: str) -> bool:
    """Whether any part of the path starts with `_` or `.`, as things that are no data do by convention."""
    return any(part.startswith(("_", ".")) for part in relative.split("/"))


def write_atomic(path: Path, data: bytes | memoryview, sync_folder: bool = True) -> None:
    """A unique temporary file beside it, synced, renamed over it; then the folder is synced, unless told not to."""
    _make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{_host()}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync_folder:
        sync(path.parent)


def sweep(folder: Path) -> None:
    """Removes temporary files of `write_atomic` whose writer no longer lives: a process of this machine that is gone,
    or any other after a day."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        match = TEMPORARY.fullmatch(path.name)
        if match and _is_abandoned(path, match["host"], int(match["pid"])):
            path.unlink(missing_ok=True)


def _walk(folder: Path) -> list[Path]:
    """All files below the folder but hidden ones; a folder that links reach again is not read again.

    An unreadable folder raises, and so does a dangling link later, lest their rows be left out unseen.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for root, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        status = Path(root).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        found += [Path(root, name) for name in names if not is_hidden(name)]
    return found


def _raise(error: OSError) -> None:
    raise error


def _host() -> str:
    """Where process ids mean the same: a machine, and on it one container or none."""
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        namespace = 0
    return f"{socket.gethostname().replace('.', '-')}-{namespace}"


def _is_abandoned(path: Path, host: str, pid: int) -> bool:
    if host == _host():
        return not _alive(pid)
    with suppress(FileNotFoundError):
        return path.stat().st_mtime < time.time() - ABANDONED_SECONDS
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _make_folder(folder: Path) -> None:
    """Makes the folder and those above it; each is synced into the one that holds it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(folder: Path) -> None:
    """Makes the names in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network filesystems sync no folders; what they promise of a rename has to do.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
