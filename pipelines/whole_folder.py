"""A folder that appears by one rename, so that nobody sees half of it."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def whole_folder(final: Path, stem: str, fill: Callable[[Path], None]) -> None:
    """Fills a new folder beside `final`, whose parent is there, and renames it.

    stem: of the new folder's name, for which the caller holds a lock: what a process that died has left there is
    removed. Raises OSError, and whatever `fill` raises.
    """
    for leftover in final.parent.glob(f"{stem}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{stem}.partial-", dir=final.parent))
    try:
        fill(partial)
        partial.chmod(0o755)
        # An archive sets the times of what it holds, and of this folder too.
        partial.touch()
        partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
