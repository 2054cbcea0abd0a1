"""A model handle becomes a folder on this machine, fetched once per node into a shared cache.

Many processes may start at once: the first takes a kernel lock (flock) on the handle's lock file and fetches;
the others wait for it and find the folder there. The kernel drops the lock of a process that dies, so nobody
waits for a dead downloader, and the folder appears by one rename, so nobody sees half a model.
"""

import fcntl
import hashlib
import os
import re
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pipelines.errors import ModelError

ARCHIVE_ENDINGS = (".tar.gz", ".tgz")
TIMEOUT_SECONDS = 60


def model_cache() -> Path:
    """The folder of fetched models: $ENCORPUS_CACHE, else `encorpus` in the user's cache folder."""
    if configured := os.environ.get("ENCORPUS_CACHE"):
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "encorpus"


def resolve_model(handle: str, storage_options: Mapping[str, str] | None = None) -> Path:
    """The local folder that holds the handle's SavedModel.

    Raises ModelError when nothing is there, it cannot be fetched, or it is no SavedModel.
    """
    scheme = urlsplit(handle).scheme if "://" in handle else ""
    if scheme == "file":
        return resolve_model(urlsplit(handle).path, storage_options)
    if scheme in ("http", "https"):
        return _cached(handle, handle, lambda folder: _download(handle, folder))
    if scheme:
        return _cached(handle, handle, lambda folder: _copy_remote(handle, folder, storage_options))
    path = Path(handle).expanduser()
    if path.is_file() and handle.endswith(ARCHIVE_ENDINGS):
        status = path.stat()
        identity = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
        return _cached(handle, identity, lambda folder: _unpack_file(path, folder))
    return _require_saved_model(path, handle)


def _require_saved_model(folder: Path, handle: str) -> Path:
    if (folder / "saved_model.pb").is_file():
        return folder.resolve()
    if not folder.exists():
        raise ModelError(f"model {handle}: no such folder")
    if (folder / "config.json").is_file() or list(folder.glob("*.index")):
        raise ModelError(
            f"model {handle}: a checkpoint, not a SavedModel; run `encorpus package {handle} -o DIR` first"
        )
    raise ModelError(f"model {handle}: not a SavedModel (there is no saved_model.pb in it)")


def _cached(handle: str, identity: str, fetch: Callable[[Path], None]) -> Path:
    """The cache's folder for this identity, filled by `fetch` if it is not there yet."""
    cache = model_cache() / "models"
    slug = re.sub(r"[^A-Za-z0-9]+", "-", handle.rstrip("/").split("://")[-1])[-60:].strip("-")
    final = cache / f"{slug}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    if final.is_dir():
        return final
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{final.name}.lock"):
            if not final.is_dir():
                _fetch_into(final, fetch, handle)
    except OSError as error:
        raise ModelError(f"model {handle}: cannot be fetched into {cache}: {_reason(error)}") from None
    return final


def _fetch_into(final: Path, fetch: Callable[[Path], None], handle: str) -> None:
    """Fills a new folder beside `final` and renames it; the caller holds the handle's lock."""
    for leftover in final.parent.glob(f"{final.name}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{final.name}.partial-", dir=final.parent))
    try:
        fetch(partial)
        _require_saved_model(partial, handle)
        partial.chmod(0o755)
        partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(url: str, folder: Path) -> None:
    """Fetches what TF-Hub's protocol serves: a gzipped tar of the SavedModel, whole or not at all."""
    with tempfile.TemporaryFile(dir=folder.parent) as archive:
        try:
            with urllib.request.urlopen(_archive_url(url), timeout=TIMEOUT_SECONDS) as answer:
                shutil.copyfileobj(answer, archive, 1 << 20)
                announced = answer.headers.get("Content-Length")
        except urllib.error.HTTPError as error:
            raise ModelError(f"model {url}: the server answered {error.code} {error.reason}") from None
        except OSError as error:
            raise ModelError(f"model {url}: cannot be fetched ({_reason(error)}) and is not in the cache") from None
        if announced is not None and archive.tell() != int(announced):
            raise ModelError(f"model {url}: the download broke off at {archive.tell()} of {announced} bytes; run again")
        archive.seek(0)
        _unpack(archive, folder, url)


def _archive_url(url: str) -> str:
    """TF-Hub's convention: a handle with `?tf-hub-format=compressed` answers with the model's archive."""
    parts = urlsplit(url)
    if parts.path.endswith(ARCHIVE_ENDINGS):
        return url
    query = [*parse_qsl(parts.query), ("tf-hub-format", "compressed")]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _unpack_file(path: Path, folder: Path) -> None:
    with path.open("rb") as archive:
        _unpack(archive, folder, str(path))


def _unpack(archive: IO[bytes], folder: Path, handle: str) -> None:
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError(f"model {handle}: not a whole .tar.gz archive ({_reason(error)})") from None
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


def _copy_remote(uri: str, folder: Path, storage_options: Mapping[str, str] | None) -> None:
    """Copies a folder, or unpacks an archive, from any fsspec URI."""
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(uri, **dict(storage_options or {}))
        if uri.endswith(ARCHIVE_ENDINGS):
            with fs.open(path, "rb") as archive:
                _unpack(archive, folder, uri)
            return
        if not fs.isfile(f"{path.rstrip('/')}/saved_model.pb"):
            raise ModelError(f"model {uri}: not a SavedModel (there is no saved_model.pb in it)")
        fs.get(f"{path.rstrip('/')}/", f"{folder}/", recursive=True)
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(f"model {uri}: cannot be fetched: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return " ".join(str(reason).split())[:200] or type(error).__name__
