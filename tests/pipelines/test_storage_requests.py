"""How many requests storage makes of a store, counted on their way: none an object, where it can be otherwise."""

import pytest

from tests.s3_server import new_bucket, storage_at

NAMES = [f"{number:05}" for number in range(1100)]  # a page of S3 has 1,000 at most


@pytest.fixture
def counted(faulty):
    """Storage, an empty folder in it, and a function that gives the requests by method that another one makes."""
    storage, proxy = faulty
    uri = f"{new_bucket(storage)}/folder"

    def requests(act) -> dict[str, int]:
        proxy.requests.clear()
        act()
        return dict(proxy.requests)

    return storage, uri, requests


@pytest.fixture(scope="module", params=["s3", "rclone_s3"])
def many(request, rclone_folder):
    """Storage, and a folder with two pages of objects."""
    storage = request.getfixturevalue(request.param)
    bucket = new_bucket(storage)
    if request.param == "s3":
        import s3fs

        s3fs.S3FileSystem(**storage.options).pipe({f"{bucket}/folder/{name}": b"1" for name in NAMES})
    else:
        folder = rclone_folder / bucket.removeprefix("s3://") / "folder"
        folder.mkdir()
        for name in NAMES:
            (folder / name).write_bytes(b"1")
    return storage, f"{bucket}/folder"


def test_all_pages_of_a_listing_are_read(many):
    storage, uri = many
    entries = list(storage.list_files(uri))
    assert [entry.uri for entry in entries] == [f"{uri}/{name}" for name in NAMES]
    assert {entry.size for entry in entries} == {1}
    assert storage.names(uri) == NAMES
    assert len(list(storage.list_files(f"{uri}/010*"))) == 100


def test_a_listing_costs_a_request_a_page(many):
    from tests.fault_proxy import FaultProxy, running
    from tests.s3_server import free_port

    with running(FaultProxy(many[0].options["endpoint_url"]), port := free_port()) as proxy:
        storage = storage_at(proxy.url(port))
        list(storage.list_files(many[1]))
        assert proxy.requests == {"GET": 2}
        storage.names(many[1])
        assert proxy.requests == {"GET": 4}


def test_a_look_at_an_object_costs_one_request_whether_it_is_there_or_not(counted):
    storage, uri, requests = counted
    storage.write_atomic(f"{uri}/a", b"1")
    assert requests(lambda: storage.exists(f"{uri}/a")) == {"HEAD": 1}
    assert requests(lambda: storage.exists(f"{uri}/b")) == {"HEAD": 1}


def test_a_write_is_one_put_however_large(counted):
    """s3fs would make parts of more than 100 MB, which could be left half-way."""
    storage, uri, requests = counted
    assert requests(lambda: storage.write_atomic(f"{uri}/a", bytes(101 << 20))) == {"PUT": 1}
    assert requests(lambda: storage.delete(f"{uri}/a")) == {"DELETE": 1}


def test_an_object_is_read_in_blocks_that_grow(counted):
    storage, uri, requests = counted
    storage.write_atomic(f"{uri}/a", bytes(40 << 20))
    with storage.open(f"{uri}/a") as file:
        assert requests(lambda: file.read(1000)) == {"GET": 1}
        assert requests(lambda: file.read(100_000)) == {}
        file.seek(20 << 20)
        assert requests(lambda: file.read(1000)) == {"GET": 1}
        assert requests(lambda: [None for _ in iter(lambda: file.read(1000), b"")]) == {"GET": 7}


def test_a_whole_object_is_read_by_one_get_however_large(counted):
    """Asked for in parts, it could be another object half-way."""
    storage, uri, requests = counted
    storage.write_atomic(f"{uri}/a", bytes(60 << 20))
    assert requests(lambda: storage.read_bytes(f"{uri}/a")) == {"GET": 1}
    assert requests(lambda: storage.read_if_there(f"{uri}/a")) == {"GET": 1}
    assert requests(lambda: storage.read_if_there(f"{uri}/b")) == {"GET": 1}
