"""Files come out of a real S3 server by ranges, several at once: whole, or with an error and no thread left."""

import threading

import pytest

from pipelines.encoder import parallel_copy
from pipelines.encoder.parallel_copy import PIECE_BYTES, Source, copy_files
from pipelines.encoder.resolve import resolve_model
from pipelines.errors import ModelError, StorageError
from pipelines.remote_files import RemoteFiles
from pipelines.retries import Retries
from tests.s3_server import NO_WAIT, new_bucket

PIECE = 1 << 16
LARGE = bytes(range(251)) * 4000  # 15 pieces and a bit


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(parallel_copy, "PIECE_BYTES", PIECE)


@pytest.fixture
def stored(s3):
    """A model in a bucket, with a large file and an empty one."""
    uri = f"{new_bucket(s3)}/model"
    put(s3, uri)
    return uri


def put(storage, uri):
    storage.write_atomic(f"{uri}/saved_model.pb", b"graph")
    storage.write_atomic(f"{uri}/assets/empty", b"")
    storage.write_atomic(f"{uri}/variables/variables.data-00000-of-00001", LARGE)


def reader(storage):
    """What reads ranges there, repeated while they fail."""
    return RemoteFiles(storage.options, NO_WAIT, Retries()).read_all_of


def copies_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_is_copied_byte_for_byte(stored, s3, cache):
    assert copies_in(resolve_model(stored, s3.options)) == {
        "saved_model.pb": b"graph",
        "assets/empty": b"",
        "variables/variables.data-00000-of-00001": LARGE,
    }


def test_ranges_of_one_file_are_read_at_once(tmp_path):
    together = threading.Barrier(4)

    def read(uri, start, stop):
        together.wait(timeout=60)
        return LARGE[start:stop]

    copy_files([Source("large", 4 * PIECE, tmp_path / "large")], read)
    assert (tmp_path / "large").read_bytes() == LARGE[: 4 * PIECE]


def test_all_but_huge_files_are_read_by_one_request_each(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel_copy, "PIECE_BYTES", PIECE_BYTES)
    size, asked = 48 << 20, []

    def read(uri, start, stop):
        asked.append((start, stop))
        return bytes(stop - start)

    copy_files([Source("weights", size, tmp_path / "copy")], read)
    assert asked == [(0, size)]


def test_no_more_ranges_are_held_than_are_read_at_once(tmp_path):
    lock, held, most = threading.Lock(), 0, 0

    def read(uri, start, stop):
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        data = LARGE[start:stop]
        with lock:
            held -= 1
        return data

    copy_files([Source("large", len(LARGE), tmp_path / "large")], read, at_once=3)
    assert 1 <= most <= 3


def test_ranges_that_break_are_read_again(faulty, stored, tmp_path):
    storage, proxy = faulty
    proxy.next.extend(["cut", "reset", "error", "slow_down", "cut"])
    copy_files(
        [Source(f"{stored}/variables/variables.data-00000-of-00001", len(LARGE), tmp_path / "copy")], reader(storage)
    )
    assert (tmp_path / "copy").read_bytes() == LARGE
    assert not proxy.next


def test_a_copy_that_cannot_be_ended_raises_and_reads_no_more(faulty, stored, tmp_path):
    storage, proxy = faulty
    uri = f"{stored}/variables/variables.data-00000-of-00001"
    proxy.rate, proxy.kinds = 1.0, ("error",)
    with pytest.raises(StorageError, match=f"{uri}: cannot read: .*after 7 attempts"):
        copy_files([Source(uri, len(LARGE), tmp_path / "copy")], reader(storage), at_once=2)
    asked = proxy.requests["GET"]
    assert asked <= 4 * NO_WAIT.attempts  # of 16 pieces
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("copy")]


def test_a_file_that_is_shorter_than_it_was_is_an_error(s3, stored, tmp_path):
    with pytest.raises(StorageError, match="it ends at byte"):
        copy_files([Source(f"{stored}/saved_model.pb", 100, tmp_path / "copy")], reader(s3))


def test_a_model_that_breaks_off_is_told_with_its_handle_and_not_kept(faulty, stored, cache, monkeypatch):
    storage, proxy = faulty
    resolve_model(stored, storage.options)
    proxy.denied = {"GET"}
    with pytest.raises(ModelError, match=f"^model {stored}: cannot be fetched: "):
        resolve_model(stored, {**storage.options, "use_ssl": False})
    assert len([path for path in (cache / "models").iterdir() if path.is_dir()]) == 1


def test_a_disk_without_room_is_told_before_anything_is_read(tmp_path):
    def read(uri, start, stop):
        raise AssertionError("it was read")

    with pytest.raises(OSError, match=r"No space left|too large"):
        copy_files([Source("large", 1 << 60, tmp_path / "copy")], read)


def test_a_file_that_would_lie_outside_of_the_folder_is_refused(s3, stored):
    s3.write_atomic(f"{stored}/assets/../../outside", b"")
    with pytest.raises(ModelError, match="would lie outside"):
        resolve_model(stored, s3.options)
