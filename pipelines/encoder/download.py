"""Fetches the archive that an http(s) handle names, as TF-Hub serves it."""

import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pipelines.encoder.archive import ARCHIVE_ENDINGS, unpack
from pipelines.errors import ModelError

TIMEOUT_SECONDS = 60


def download(url: str, folder: Path) -> None:
    """Fetches a gzipped tar of the SavedModel into the folder, whole or not at all.

    Raises ModelError where the server refuses or breaks off, and what urllib raises.
    """
    with tempfile.TemporaryFile(dir=folder.parent) as archive:
        try:
            with urllib.request.urlopen(_archive_url(url), timeout=TIMEOUT_SECONDS) as answer:
                shutil.copyfileobj(answer, archive, 1 << 20)
                announced = answer.headers.get("Content-Length")
        except urllib.error.HTTPError as error:
            raise ModelError(f"model {url}: the server answered {error.code} {error.reason}") from None
        if announced is not None and archive.tell() != int(announced):
            raise ModelError(f"model {url}: the download broke off at {archive.tell()} of {announced} bytes; run again")
        archive.seek(0)
        unpack(archive, folder, url)


def archive_bytes(url: str) -> int | None:
    """The size of the archive, which is asked for and not fetched; None where the server does not tell.

    Raises ModelError where the server refuses, and what urllib raises.
    """
    request = urllib.request.Request(_archive_url(url), method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            announced = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        raise ModelError(f"model {url}: the server answered {error.code} {error.reason}") from None
    return None if announced is None else int(announced)


def _archive_url(url: str) -> str:
    """TF-Hub's convention: a handle with `?tf-hub-format=compressed` answers with the model's archive."""
    parts = urlsplit(url)
    if parts.path.endswith(ARCHIVE_ENDINGS):
        return url
    query = [*parse_qsl(parts.query), ("tf-hub-format", "compressed")]
    return urlunsplit(parts._replace(query=urlencode(query)))
