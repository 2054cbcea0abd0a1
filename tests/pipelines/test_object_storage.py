"""Storage in object stores: a real S3 server, and fsspec's memory filesystem for the rest of them."""

from typing import NamedTuple

import fsspec
import pytest
import s3fs

from pipelines.errors import StorageError, UsageError
from pipelines.storage import Storage
from tests.s3_server import new_bucket


class Place(NamedTuple):
    """An empty folder of a store. uri: as the store itself spells it."""

    storage: Storage
    uri: str


@pytest.fixture(params=["s3", "memory"])
def place(request) -> Place:
    if request.param == "s3":
        storage = request.getfixturevalue("s3")
        return Place(storage, f"{new_bucket(storage)}/folder")
    fsspec.filesystem("memory").store.clear()
    return Place(Storage(), "memory:///bucket/folder")


def test_lists_folders_and_globs_without_what_is_hidden(place):
    storage, uri = place
    for name in ("b/2.txt", "a.txt", "_hidden/a.txt", "b/.c.txt"):
        storage.write_atomic(f"{uri}/{name}", name.encode())
    assert [entry[:2] for entry in storage.list_files(uri)] == [(f"{uri}/a.txt", 5), (f"{uri}/b/2.txt", 7)]
    assert [entry.uri for entry in storage.list_files(f"{uri}/*.txt")] == [f"{uri}/a.txt"]
    assert [entry.uri for entry in storage.list_files(f"{uri}/**/*.txt")] == [f"{uri}/a.txt", f"{uri}/b/2.txt"]
    assert storage.names(uri) == ["_hidden", "a.txt", "b"]
    assert storage.names(f"{uri}/nowhere") == []


def test_reads_whole_ranged_and_seeking(place):
    storage, uri = place
    storage.write_atomic(f"{uri}/a", memoryview(b"0123456789"))
    assert storage.read_bytes(f"{uri}/a") == b"0123456789"
    assert storage.read_range(f"{uri}/a", 8, 20) == b"89"
    with storage.open(f"{uri}/a") as file:
        file.seek(4)
        assert file.read(2) == b"45"


def test_an_object_is_replaced_as_a_whole_and_deleted_once_or_twice(place):
    storage, uri = place
    storage.write_atomic(f"{uri}/a", b"old")
    storage.write_atomic(f"{uri}/a", b"new")
    assert storage.read_bytes(f"{uri}/a") == b"new"
    storage.delete(f"{uri}/a")
    storage.delete(f"{uri}/a")
    assert not storage.exists(f"{uri}/a")


def test_a_folder_is_no_file(place):
    storage, uri = place
    storage.write_atomic(f"{uri}/a", b"")
    assert storage.entry(uri) is None


def test_nothing_there_is_a_usage_error_that_names_it(place):
    with pytest.raises(UsageError, match=f"{place.uri}/x: no files there"):
        place.storage.list_files(f"{place.uri}/x")


def test_an_object_is_looked_at_as_it_is_now_whoever_changed_it(s3):
    """s3fs answers from its last listing, which other processes do not know of."""
    uri = f"{new_bucket(s3)}/a"
    s3.write_atomic(uri, b"old")
    before = next(s3.list_files(uri.rpartition("/")[0]))
    s3fs.S3FileSystem(**s3.options, skip_instance_cache=True).pipe_file(uri, b"newer")
    after = s3.entry(uri)
    assert (before.size, after.size) == (3, 5)
    assert before.version != after.version


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"endpoint_url": "http://127.0.0.1:9"}, "Could not connect to the endpoint URL"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_keeps_a_store_from_being_reached_is_one_line(s3, options, told):
    storage = Storage({**s3.options, **options})
    with pytest.raises(StorageError, match=r"^s3://bucket/a: cannot read: ") as raised:
        storage.read_bytes("s3://bucket/a")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_bucket_that_is_not_there_is_one_line(s3):
    with pytest.raises(StorageError, match=r"^s3://no-such-bucket/a: cannot write: .*bucket does not exist"):
        s3.write_atomic("s3://no-such-bucket/a", b"")
