"""Where this machine keeps what can be made again: fetched models, logs."""

import functools
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def cache_folder() -> Path:
    """$ENCORPUS_CACHE, else `encorpus` in $XDG_CACHE_HOME, else in ~/.cache, else in the temporary folder.

    The last is for a process whose user has no home; only there does this function make the folder.
    """
    if configured := os.environ.get("ENCORPUS_CACHE"):
        return Path(_expanded(configured))
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(_expanded(caches)) / "encorpus"
    home = _expanded("~")
    return Path(home) / ".cache" / "encorpus" if home != "~" else _temporary_folder()


def _expanded(path: str) -> str:
    # Unlike Path's method, this one leaves the home of an unknown user as it is.
    return os.path.expanduser(path)  # noqa: PTH111


@functools.cache
def _temporary_folder() -> Path:
    """A folder of this user alone: models are code, so what someone else has laid there is not used.

    Where the usual name is taken, the folder is this process's own.
    """
    folder = Path(tempfile.gettempdir()) / f"encorpus-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return folder if ours else Path(tempfile.mkdtemp(prefix="encorpus-"))
