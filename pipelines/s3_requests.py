"""S3 by its own requests: listings page by page, one GET or PUT an object, uploads that nobody finishes.

`call` makes one request, as `S3FileSystem.call_s3` does, and repeats it by itself where that helps: of a listing of
a hundred pages only the page that failed is asked for again.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from pipelines.filesystems import ANSWER_BYTES, UNTOLD_BYTES, time_to_move
from pipelines.local_files import fixed_part
from pipelines.store_errors import ShortReadError

Call = Callable[..., dict[str, Any]]

# S3's limit for an object that is put by one request.
MAX_PUT_BYTES = 5 << 30
# Nobody uploads for so long.
ABANDONED = timedelta(days=1)


class S3Object(NamedTuple):
    """etag: without its quotes."""

    key: str
    size: int
    etag: str


class Level(NamedTuple):
    """What lies directly below a prefix. folders: their prefixes, each with its slash."""

    objects: list[S3Object]
    folders: list[str]


def objects_below(call: Call, bucket: str, prefix: str) -> Iterator[S3Object]:
    """All objects whose keys start with the prefix, but for the markers of empty folders."""
    for page in _pages(call, Bucket=bucket, Prefix=prefix):
        yield from _objects(page)


def level(call: Call, bucket: str, prefix: str) -> Level:
    """The objects and the folders whose keys start with the prefix and go no deeper."""
    found = Level([], [])
    for page in _pages(call, Bucket=bucket, Prefix=prefix, Delimiter="/"):
        found.objects.extend(_objects(page))
        found.folders.extend(folder["Prefix"] for folder in page.get("CommonPrefixes", ()))
    return found


def objects_matching(call: Call, bucket: str, pattern: str) -> Iterator[S3Object]:
    """The objects that a glob matches, and those below the folders that it matches."""
    from fsspec.utils import glob_translate

    matches = re.compile(glob_translate(pattern)).match
    stem = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    if "/" in pattern[len(stem) :] or "**" in pattern:
        above = f"{fixed_part(pattern)}/".lstrip("/")
        for one in objects_below(call, bucket, stem):
            if any(matches(path) for path in _paths(one.key, above)):
                yield one
        return
    # All that can match lies on one level, however much lies deeper.
    here = level(call, bucket, stem)
    yield from (one for one in here.objects if matches(one.key))
    for folder in here.folders:
        if matches(folder.rstrip("/")):
            yield from objects_below(call, bucket, folder)


def head(call: Call, bucket: str, key: str) -> S3Object:
    """The object as it is now, by one request. Raises FileNotFoundError where none is."""
    answer = call("head_object", Bucket=bucket, Key=key)
    return S3Object(key, answer["ContentLength"], answer.get("ETag", "").strip('"'))


def whole_object(fs: Any, bucket: str, key: str) -> bytes:
    """All bytes of the object, by one request. fs: an S3FileSystem. Raises FileNotFoundError where none is,
    ShortReadError where there are fewer than announced."""
    from fsspec.asyn import sync

    answer = fs.call_s3("get_object", Bucket=bucket, Key=key, **time_to_move(fs, ANSWER_BYTES))
    announced = answer.get("ContentLength")
    limit = time_to_move(fs, UNTOLD_BYTES if announced is None else announced)
    data = cast(bytes, sync(fs.loop, _body, answer["Body"], **limit))
    if announced not in (None, len(data)):
        raise ShortReadError(f"{len(data):,} bytes came of {announced:,}")
    return data


def abort_abandoned(call: Call, bucket: str, prefix: str) -> None:
    """Ends the multipart uploads below the prefix that began over a day ago: their parts are stored, and paid for."""
    answer = call("list_multipart_uploads", Bucket=bucket, Prefix=prefix)
    for upload in answer.get("Uploads", ()):
        if upload["Initiated"] < datetime.now(UTC) - ABANDONED:
            call("abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


async def _body(stream: Any) -> bytes:
    try:
        return await stream.read()
    finally:
        stream.close()


def _pages(call: Call, **request: Any) -> Iterator[dict[str, Any]]:
    while True:
        page = call("list_objects_v2", **request)
        yield page
        if not page.get("IsTruncated"):
            return
        request["ContinuationToken"] = page["NextContinuationToken"]


def _objects(page: dict[str, Any]) -> Iterator[S3Object]:
    for one in page.get("Contents", ()):
        if not one["Key"].endswith("/"):
            yield S3Object(one["Key"], one["Size"], one.get("ETag", "").strip('"'))


def _paths(key: str, above: str) -> Iterator[str]:
    """The key, and the folders that hold it below `above`."""
    yield key
    while "/" in key[len(above) :]:
        key = key.rpartition("/")[0]
        yield key
