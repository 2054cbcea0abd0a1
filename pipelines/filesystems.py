"""fsspec's filesystems as we want them: with time limits, no retries but ours, and nothing remembered of listings."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pipelines.errors import UsageError

CONNECT_SECONDS = 5
# A server may be silent that long while it looks for an object, or stores one.
SILENT_SECONDS = 20
# A slower connection is taken for one that hangs.
SLOWEST_BYTES_A_SECOND = 1 << 18
# What a listing, or a file whose size nobody told, is taken for, and an answer about one object or a page of a listing.
UNTOLD_BYTES = 1 << 30
ANSWER_BYTES = 1 << 20


def filesystem(uri: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The filesystem of a URI and the URI's path in it; fsspec keeps one for the same options.

    options: of fsspec; they win over ours. Raises UsageError for a scheme that is unknown or needs another package.
    """
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(uri, **_with_ours(uri, options))
    except (ValueError, ImportError) as error:
        raise UsageError(f"{uri}: {' '.join(str(error).split())}") from None
    # Others write to the same folders: what was listed once says nothing later.
    fs.dircache.use_listings_cache = False
    _require_whole_listings(fs)
    if is_s3(fs):
        fs.retries = 1
    return fs, path


def renew(uri: str, options: Mapping[str, Any], expired: Any) -> None:
    """Makes the next `filesystem` of these options a new one, which looks for credentials anew.

    expired: the filesystem that was refused; where another thread has replaced it already, nothing is to be done.
    """
    if filesystem(uri, options)[0] is expired:
        type(expired).clear_instance_cache()


def is_s3(fs: Any) -> bool:
    """Whether S3's own requests can be made."""
    return "s3" in fs.protocol and hasattr(fs, "call_s3")


def time_to_move(fs: Any, size: int = UNTOLD_BYTES) -> dict[str, float]:
    """The argument that bounds the time of a call that sends or gets so many bytes: libraries wait for ever for a
    server that does not ask for them, or gives one now and then. Empty where the filesystem has no such argument."""
    if not fs.async_impl:
        return {}
    silent = (getattr(fs, "config_kwargs", None) or {}).get("read_timeout") or SILENT_SECONDS
    return {"timeout": CONNECT_SECONDS + silent + size / SLOWEST_BYTES_A_SECOND}


def _require_whole_listings(fs: Any) -> None:
    """Makes `find` and `glob` raise what listing a folder raises: fsspec's own take the folder for an empty one."""
    if fs.async_impl:
        fs._walk = partial(type(fs)._walk, fs, on_error="raise")
    else:
        fs.walk = partial(type(fs).walk, fs, on_error="raise")


def _with_ours(uri: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with time limits, and without retries, for the stores whose libraries have such an option."""
    scheme = uri.partition("://")[0]
    if scheme in ("s3", "s3a"):
        from botocore.config import Config

        ours: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": SILENT_SECONDS,
            "retries": {"total_max_attempts": 1},
        }
        # We read ranges, and some stores send the checksum of the whole object with them. Older versions never look.
        if "response_checksum_validation" in Config.OPTION_DEFAULTS:
            ours["response_checksum_validation"] = "when_required"
        return {**options, "config_kwargs": {**ours, **(options.get("config_kwargs") or {})}}
    if scheme in ("http", "https"):
        import aiohttp

        ours = {"timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS)}
        return {**options, "client_kwargs": {**ours, **(options.get("client_kwargs") or {})}}
    return dict(options)
