"""The checksum: whatever byte of a shard changes, and wherever the file is cut, it shows."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.output.seal import KEY, PLACEHOLDER, check_seal, seal
from pipelines.output.shard import ShardInfo, shard_bytes, shard_table

INFO = ShardInfo("part-000000-000000", "a.parquet", "v1", 0, 3, True, 3, 3, 0, 12, 1, "f" * 64, "0.1.0", 4)


def small_shard() -> bytes:
    # A kept text that looks like the checksum's own place must not be taken for it.
    decoy = KEY + "\x18@" + PLACEHOLDER
    columns = pa.table({"id": ["a", "b", "c"], "kept": [decoy] * 3})
    vectors = np.ones((3, 4), np.float32)
    table = shard_table(columns, np.array([3, 4, 5]), np.zeros(3, bool), vectors, 4, "float32")
    return bytes(shard_bytes(table, INFO)[0])


SHARD = small_shard()


def test_a_shard_as_written_is_whole():
    assert check_seal(memoryview(SHARD)) is None


@pytest.mark.parametrize("bit", range(8))
def test_every_single_changed_bit_shows(bit: int):
    data = bytearray(SHARD)
    for place in range(len(data)):
        data[place] ^= 1 << bit
        assert check_seal(memoryview(data)) is not None, place
        data[place] ^= 1 << bit


@given(st.integers(0, len(SHARD) - 1))
def test_a_file_cut_anywhere_shows(length: int):
    assert check_seal(memoryview(SHARD[:length])) is not None


@given(st.integers(0, len(SHARD)), st.binary(min_size=1))
def test_bytes_put_in_anywhere_show(place: int, more: bytes):
    assert check_seal(memoryview(SHARD[:place] + more + SHARD[place:])) is not None


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_judged_without_an_error(data: bytes):
    assert check_seal(memoryview(data)) is not None


def test_a_file_without_the_placeholder_cannot_be_sealed():
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": [1]}), sink)
    with pytest.raises(ValueError, match=r"its footer has no encorpus\.checksum"):
        seal(sink.getbuffer())
