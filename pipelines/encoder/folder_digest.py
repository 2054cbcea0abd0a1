"""What a SavedModel is, as one number: equal digest, equal results."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path


def folder_digest(folder: Path) -> str:
    """SHA-256 over what decides a SavedModel's results: its graph, variables and assets (paths and bytes).

    Names that start with a dot are left out: file managers and version control put such files anywhere. Raises OSError.
    """
    digest = hashlib.sha256()
    for path in [folder / "saved_model.pb", *_files(folder / "variables"), *_files(folder / "assets")]:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + str(path.stat().st_size).encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder, sorted; none where there is no such folder. One that cannot be listed raises."""
    found: list[Path] = []
    if folder.is_dir():
        for root, folders, names in os.walk(folder, onerror=_raise):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [Path(root, name) for name in names if not name.startswith(".")]
    return iter(sorted(path for path in found if path.is_file()))


def _raise(error: OSError) -> None:
    raise error
