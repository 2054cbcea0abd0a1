"""Unpacks a SavedModel's .tar.gz, or refuses it: damaged anywhere, it gives no model."""

import gzip
import tarfile
import zlib
from pathlib import Path
from typing import IO

from pipelines.errors import ModelError

ARCHIVE_ENDINGS = (".tar.gz", ".tgz")


def unpack(archive: IO[bytes], folder: Path, handle: str) -> None:
    """Unpacks into the folder, lifting a single folder that the archive wraps round the model.

    Raises ModelError for an archive that is damaged or writes outside the folder; reading and writing raise as usual.
    """
    try:
        with gzip.open(archive) as content, tarfile.open(fileobj=content, mode="r:") as tar:
            tar.extractall(folder, filter="data")
            # tar stops at its own end mark; the checksum of the whole stands behind that.
            while content.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, OverflowError, ValueError) as error:
        raise ModelError(f"model {handle}: not a whole .tar.gz archive ({error})") from None
    _lift_single_folder(folder)


def _lift_single_folder(folder: Path) -> None:
    """An archive may hold the model's folder instead of its content: move the content up."""
    inside = list(folder.iterdir())
    if len(inside) != 1 or not (inside[0] / "saved_model.pb").is_file():
        return
    # Renamed first, since the folder may itself hold an entry of its own name.
    wrapper = inside[0].rename(folder / ".wrapper")
    for child in list(wrapper.iterdir()):
        child.rename(folder / child.name)
    wrapper.rmdir()
