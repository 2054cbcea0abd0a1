"""Storage in object stores: two real S3 servers, and fsspec's memory filesystem for the rest of them."""

import threading
from typing import NamedTuple

import fsspec
import pytest
import s3fs
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractFileSystem

from pipelines.errors import StorageError, UsageError
from pipelines.storage import Storage
from tests.s3_server import NO_WAIT, new_bucket


class Place(NamedTuple):
    """An empty folder of a store. uri: as the store itself spells it."""

    storage: Storage
    uri: str


@pytest.fixture(params=["s3", "rclone_s3", "memory"])
def place(request) -> Place:
    if request.param != "memory":
        storage = request.getfixturevalue(request.param)
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
    assert storage.read_if_there(f"{uri}/a") is None


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
        ({"endpoint_url": "nowhere"}, "nowhere"),
        ({"key": None, "secret": None, "profile": "nobody"}, "nobody"),
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


def test_a_glob_takes_the_folders_it_matches_whole(place):
    storage, uri = place
    names = ("x1/a.txt", "x1/y/b.txt", "x1/_c.txt", "x2.txt", "y/x3.txt", "[x].txt")
    for name in names:
        storage.write_atomic(f"{uri}/{name}", b"")

    def found(pattern: str) -> list[str]:
        return [entry.uri[len(uri) + 1 :] for entry in storage.list_files(f"{uri}/{pattern}")]

    assert found("x*") == ["x1/a.txt", "x1/y/b.txt", "x2.txt"]
    assert found("*/x?.txt") == ["y/x3.txt"]
    assert found("x[0-9].txt") == ["x2.txt"]
    assert found("**/*.txt") == ["[x].txt", "x1/a.txt", "x1/y/b.txt", "x2.txt", "y/x3.txt"]


def test_a_name_that_looks_like_a_glob_is_itself(place):
    storage, uri = place
    storage.write_atomic(f"{uri}/a[1].txt", b"")
    storage.write_atomic(f"{uri}/b?/c.txt", b"")
    assert [entry.uri for entry in storage.list_files(f"{uri}/a[1].txt")] == [f"{uri}/a[1].txt"]
    assert [entry.uri for entry in storage.list_files(f"{uri}/b?")] == [f"{uri}/b?/c.txt"]


@pytest.mark.parametrize("name", ["a b+c%20d.txt", "ünï—cödé/…", "a&b=c;d@e:f,g$h'i(j)!.txt", "#1"])
def test_names_of_any_characters(place, name):
    storage, uri = place
    storage.write_atomic(f"{uri}/{name}", b"12")
    assert storage.read_bytes(f"{uri}/{name}") == b"12"
    assert [entry.uri for entry in storage.list_files(uri)] == [f"{uri}/{name}"]
    storage.delete(f"{uri}/{name}")
    assert not storage.exists(f"{uri}/{name}")


def test_an_empty_object_reads_as_empty(place):
    storage, uri = place
    storage.write_atomic(f"{uri}/a", b"")
    assert storage.read_bytes(f"{uri}/a") == storage.read_range(f"{uri}/a", 0, 10) == b""
    with storage.open(f"{uri}/a") as file:
        assert file.read() == b""


def test_a_range_behind_the_end_is_empty(place):
    storage, uri = place
    storage.write_atomic(f"{uri}/a", b"0123456789")
    assert storage.read_range(f"{uri}/a", 10, 20) == storage.read_range(f"{uri}/a", 50, 60) == b""


def test_nothing_there_cannot_be_read(place):
    for read in (place.storage.read_bytes, place.storage.open, lambda uri: place.storage.read_range(uri, 0, 1)):
        with pytest.raises(StorageError, match=f"^{place.uri}/a: cannot read: "):
            read(f"{place.uri}/a")


def test_a_whole_file_that_others_replace_all_the_time_is_one_of_theirs(s3):
    storage, uri = s3, new_bucket(s3)
    versions = {bytes([65 + number]) * size for number, size in enumerate((10, 5_000_000, 100_000))}
    storage.write_atomic(f"{uri}/a", b"")
    done = threading.Event()

    def replace() -> None:
        for version in [*versions] * 5:
            storage.write_atomic(f"{uri}/a", version)
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(storage.read_if_there(f"{uri}/a"))
    writer.join()
    assert set(seen) <= {b"", *versions}


class Folders(MemoryFileSystem):
    """A store that lists folder by folder, as most do, and fails to list `inner` so many times."""

    protocol = "folders"
    find = AbstractFileSystem.find
    failures = 0

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("folders://", "memory://"))

    def ls(self, path, detail=True, **options):
        if path.endswith("inner") and Folders.failures:
            Folders.failures -= 1
            raise OSError("no answer")
        return super().ls(path, detail, **options)


@pytest.mark.parametrize("failures", [1, 1000])
@pytest.mark.parametrize("what", ["", "/*", "/**/*.txt"])
def test_a_folder_that_cannot_be_listed_is_tried_again_and_never_taken_for_empty(what, failures, monkeypatch):
    fsspec.register_implementation("folders", Folders, clobber=True)
    storage, uri = Storage(policy=NO_WAIT), "folders:///listed"
    for name in ("a.txt", "inner/b.txt"):
        storage.write_atomic(f"{uri}/{name}", b"")
    monkeypatch.setattr(Folders, "failures", failures)
    if failures == 1:
        assert [entry.uri for entry in storage.list_files(uri + what)] == [f"{uri}/a.txt", f"{uri}/inner/b.txt"]
    else:
        with pytest.raises(StorageError, match="cannot list: no answer, after 7 attempts"):
            storage.list_files(uri + what)
