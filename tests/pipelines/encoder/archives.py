"""Makes a .tar.gz of a folder."""

import io
import tarfile
from pathlib import Path


def archive_of(folder: Path, inside: str = "") -> bytes:
    """The folder's content, or with `inside` the folder itself under that name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder, arcname=inside or ".")
    return buffer.getvalue()
