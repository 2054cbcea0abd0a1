"""Storage behind a proxy that fails as real stores do: every operation ends with exactly the right bytes."""

import gzip
import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import filesystems
from pipelines.errors import StorageError
from pipelines.storage import RetryPolicy, Storage
from tests.fault_proxy import KINDS
from tests.s3_server import new_bucket

BYTES = random.Random(0).randbytes(600_000)


@pytest.fixture
def place(faulty):
    """Storage whose timeout is a second, the proxy on its way, and an empty folder."""
    storage, proxy = faulty
    options = {**storage.options, "config_kwargs": {"read_timeout": 1}}
    return Storage(options, storage.policy), proxy, f"{new_bucket(storage)}/folder"


def kinds_of(method: str) -> list[str]:
    return [kind for kind, methods in KINDS.items() if method in methods]


@pytest.mark.parametrize("kind", kinds_of("GET"))
def test_a_read_that_failed_once_gives_all_bytes(place, kind):
    storage, proxy, uri = place
    storage.write_atomic(f"{uri}/a", BYTES)
    proxy.next.append(kind)
    assert storage.read_range(f"{uri}/a", 10, 500_000) == BYTES[10:500_000]
    assert proxy.faults == {kind: 1}


@pytest.mark.parametrize("kind", kinds_of("GET"))
def test_a_whole_file_is_asked_for_again_as_a_whole(place, kind):
    storage, proxy, uri = place
    storage.write_atomic(f"{uri}/a", BYTES)
    proxy.next.append(kind)
    assert storage.read_bytes(f"{uri}/a") == BYTES
    proxy.next.append(kind)
    assert storage.read_if_there(f"{uri}/b") is None
    assert proxy.faults == {kind: 2}


@pytest.mark.parametrize("kind", kinds_of("GET"))
def test_a_listing_that_failed_once_is_whole(place, kind):
    storage, proxy, uri = place
    for name in ("a", "b/c"):
        storage.write_atomic(f"{uri}/{name}", b"1")
    proxy.next.append(kind)
    assert [entry.uri for entry in storage.list_files(uri)] == [f"{uri}/a", f"{uri}/b/c"]
    proxy.next.append(kind)
    assert storage.names(uri) == ["a", "b"]
    assert proxy.faults == {kind: 2}


@pytest.mark.parametrize("kind", kinds_of("HEAD"))
def test_a_look_that_failed_once_tells_what_is_there_and_what_is_not(place, kind):
    storage, proxy, uri = place
    storage.write_atomic(f"{uri}/a", b"123")
    proxy.next.append(kind)
    assert storage.entry(f"{uri}/a").size == 3
    proxy.next.append(kind)
    assert storage.entry(f"{uri}/b") is None
    assert proxy.faults == {kind: 2}


@pytest.mark.parametrize("kind", kinds_of("PUT"))
def test_a_write_that_failed_once_is_done(place, kind):
    storage, proxy, uri = place
    proxy.next.append(kind)
    storage.write_atomic(f"{uri}/a", BYTES)
    assert proxy.faults == {kind: 1}
    assert storage.read_bytes(f"{uri}/a") == BYTES


@pytest.mark.parametrize("kind", kinds_of("DELETE"))
def test_a_delete_that_failed_once_is_done(place, kind):
    storage, proxy, uri = place
    storage.write_atomic(f"{uri}/a", b"1")
    proxy.next.append(kind)
    storage.delete(f"{uri}/a")
    assert proxy.faults == {kind: 1}
    assert not storage.exists(f"{uri}/a")


@pytest.mark.parametrize("kind", kinds_of("GET"))
def test_a_gzip_stream_that_failed_on_the_way_is_read_to_its_end(place, kind):
    storage, proxy, uri = place
    storage.write_atomic(f"{uri}/a.gz", gzip.compress(BYTES))
    with storage.open(f"{uri}/a.gz") as file, gzip.open(file) as content:
        assert content.read(1000) == BYTES[:1000]
        proxy.next.append(kind)
        assert content.read() == BYTES[1000:]
    assert proxy.faults == {kind: 1}


@pytest.mark.parametrize("kind", kinds_of("GET"))
def test_a_parquet_file_that_failed_on_the_way_is_read_to_its_end(place, kind):
    storage, proxy, uri = place
    table = pa.table({"number": range(20_000), "text": [random.randbytes(40).hex() for _ in range(20_000)]})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=1000)
    storage.write_atomic(f"{uri}/a.parquet", sink.getvalue())
    with storage.open(f"{uri}/a.parquet") as file, pq.ParquetFile(file) as parquet:
        first = parquet.read_row_group(0)
        proxy.next.append(kind)
        rest = parquet.read_row_groups(range(1, parquet.num_row_groups))
    assert pa.concat_tables([first, rest]) == table
    assert proxy.faults == {kind: 1}


def test_retries_are_counted(place):
    storage, proxy, uri = place
    proxy.next.extend(["error", "slow_down", "error"])
    storage.write_atomic(f"{uri}/a", b"")
    assert storage.retries.take() == 3


def test_the_libraries_below_retry_nothing_more(place):
    storage, proxy, uri = place
    proxy.rate, proxy.kinds = 1.0, ("slow_down",)
    with pytest.raises(StorageError, match=rf"^{uri}/a: cannot write: Please reduce your .*, after 7 attempts$"):
        storage.write_atomic(f"{uri}/a", b"")
    assert proxy.requests["PUT"] == 1 + storage.policy.attempts  # one made the bucket


def test_a_file_that_became_shorter_while_it_is_read_is_an_error_and_no_end(place):
    storage, _, uri = place
    storage.write_atomic(f"{uri}/a", BYTES)
    with storage.open(f"{uri}/a") as file:
        file.read(10)
        storage.write_atomic(f"{uri}/a", BYTES[:200_000])
        with pytest.raises(StorageError, match=r"/a: cannot read: it ends at byte 200,000, and was longer when"):
            file.read()


def test_a_file_that_vanished_while_it_is_read_is_an_error_and_no_end(place):
    storage, _, uri = place
    storage.write_atomic(f"{uri}/a", BYTES)
    with storage.open(f"{uri}/a") as file:
        file.read(10)
        storage.delete(f"{uri}/a")
        with pytest.raises(StorageError, match=r"/a: cannot read: The specified key does not exist"):
            file.read()


def test_a_server_that_never_asks_for_what_is_to_be_written_is_not_waited_for(place, monkeypatch):
    storage, proxy, uri = place
    monkeypatch.setattr(filesystems, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(filesystems, "SLOWEST_BYTES_A_SECOND", 1 << 40)
    proxy.hang_seconds = 60
    proxy.next.append("hang")
    storage.write_atomic(f"{uri}/a", b"1")
    assert storage.read_bytes(f"{uri}/a") == b"1"
    assert storage.retries.take() >= 1


names = st.sampled_from("abc")
acts = st.one_of(
    st.tuples(st.just("write"), names, st.integers(0, 300_000)),
    st.tuples(st.sampled_from(["read", "stream", "entry", "delete"]), names, st.just(0)),
    st.tuples(st.just("names"), st.just(""), st.just(0)),
)


@given(acts=st.lists(acts, min_size=5, max_size=25), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_at_30_percent_faults_every_operation_gives_what_a_dictionary_gives(faulty, acts, seed):
    through, proxy = faulty
    storage = Storage(through.options, RetryPolicy(attempts=30, first_wait=0))
    proxy.rate = 0.0
    uri = f"{new_bucket(through)}/folder"
    proxy.kinds = tuple(kind for kind in KINDS if kind != "hang")
    proxy.rate = 0.3
    proxy._random.seed(seed)
    held: dict[str, bytes] = {}
    for act, name, size in acts:
        place = f"{uri}/{name}"
        if act == "write":
            held[name] = BYTES[:size]
            storage.write_atomic(place, held[name])
        elif act == "delete":
            held.pop(name, None)
            storage.delete(place)
        elif act == "entry":
            entry = storage.entry(place)
            assert (entry and entry.size) == (len(held[name]) if name in held else None)
        elif act == "names":
            assert storage.names(uri) == sorted(held)
        elif name in held and act == "read":
            assert storage.read_bytes(place) == held[name]
        elif name in held:
            with storage.open(place) as file:
                assert b"".join(iter(lambda file=file: file.read(10_000), b"")) == held[name]
