"""An open file in a store, against the same bytes in memory."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import remote_file
from pipelines.errors import StorageError
from pipelines.remote_file import MAX_BLOCK_BYTES, RemoteFile

CONTENT = bytes(range(256)) * 4


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Blocks of 4 to 64 bytes."""
    patch = pytest.MonkeyPatch()
    patch.setattr(remote_file, "FIRST_BLOCK_BYTES", 4)
    patch.setattr(remote_file, "MAX_BLOCK_BYTES", 64)
    yield
    patch.undo()


def opened(content: bytes = CONTENT) -> tuple[RemoteFile, list[tuple[int, int]]]:
    """The file, and the ranges that it asked for."""
    asked: list[tuple[int, int]] = []

    def fetch(start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return content[start:stop]

    return RemoteFile("s3://b/a", len(content), fetch), asked


seeks = st.tuples(st.just("seek"), st.integers(0, 1100), st.just(0))
seeks_from_the_end = st.tuples(st.just("seek"), st.integers(-1024, 10), st.just(2))
reads = st.tuples(st.just("read"), st.integers(0, 200))


@given(st.lists(st.one_of(seeks, seeks_from_the_end, reads)), st.sampled_from([1, 16, 128]))
def test_reads_and_seeks_as_bytes_in_memory(acts, buffer):
    file, asked = opened()
    ours, theirs = io.BufferedReader(file, buffer), io.BytesIO(CONTENT)
    for name, *arguments in acts:
        assert getattr(ours, name)(*arguments) == getattr(theirs, name)(*arguments)
        assert ours.tell() == theirs.tell()
    assert all(0 <= start < stop <= len(CONTENT) and stop - start <= 64 for start, stop in asked)


def test_blocks_double_while_reading_goes_on_and_are_small_again_after_a_seek():
    file, asked = opened()
    while file.tell() < 200:
        file.read(2)
    file.seek(500)
    file.read(2)
    assert [stop - start for start, stop in asked] == [4, 8, 16, 32, 64, 64, 64, 4]


def test_a_large_read_is_asked_for_in_blocks_of_the_largest_size():
    file, asked = opened()
    assert file.readall() == CONTENT
    assert {stop - start for start, stop in asked} == {64}


def test_a_seek_within_the_block_asks_for_nothing():
    file, asked = opened()
    for place in (100, 102, 101, 100):
        file.seek(place)
        file.read(1)
    assert asked == [(100, 104)]


def test_a_seek_before_the_start_is_a_storage_error():
    with pytest.raises(StorageError, match=r"^s3://b/a: cannot read: Invalid argument"):
        opened()[0].seek(-1)


def test_no_more_than_one_block_of_8_mib_is_held():
    assert MAX_BLOCK_BYTES == 8 << 20
