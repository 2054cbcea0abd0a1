"""A shard's file: its columns, what its footer says, and that any Parquet reader reads it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.encoder.spec import DTYPES
from pipelines.errors import EncorpusError, StorageError
from pipelines.output import shard
from pipelines.output.quantized import STORED, quantized
from pipelines.output.shard import (
    ShardInfo,
    Vectors,
    read_columns,
    read_info,
    shard_bytes,
    shard_table,
    vector_batches,
)
from pipelines.output.shard_info import from_metadata, to_metadata
from pipelines.output.vectors import embedding_column, vector_norms, vector_parts, vectors_of
from pipelines.storage import Storage

INFO = ShardInfo("part-000001-000002", "corpus/a.parquet", "v1", 10, 13, False, 3, 3, 0, 12, 1, "f" * 64, "0.1.0", 4)
COLUMNS = pa.table({"id": ["a", "b", "c"], "tags": [["x"], [], None]})
TOKENS = np.array([3, 4, 5], np.int32)
TRUNCATED = np.array([False, False, True])
VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4)
STORAGE = Storage()


def table_of(vectors: Vectors = VECTORS, dtype="float32", columns=COLUMNS) -> pa.Table:
    return shard_table(columns, TOKENS[: columns.num_rows], TRUNCATED[: columns.num_rows], vectors, 4, dtype)


def stored_vectors(vectors: np.ndarray, dtype: str) -> np.ndarray:
    return np.asarray(quantized(vectors.astype(np.float16) if dtype == "float16" else vectors, dtype).vectors)


def read(data: memoryview) -> pa.Table:
    return pq.read_table(pa.BufferReader(data))


def test_the_columns_are_id_kept_tokens_truncated_embedding():
    data, _ = shard_bytes(table_of(), INFO)
    table = read(data)
    assert table.schema.names == ["id", "tags", "tokens", "truncated", "embedding"]
    assert table.to_pylist()[2] == {
        "id": "c", "tags": None, "tokens": 5, "truncated": True, "embedding": [8.0, 9.0, 10.0, 11.0]
    }  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_stored_vectors_come_back_bit_by_bit(dtype):
    stored = stored_vectors(VECTORS, dtype)
    column = read(shard_bytes(table_of(stored, dtype), INFO)[0])["embedding"]
    assert column.type.equals(pa.list_(pa.field("element", pa.from_numpy_dtype(STORED[dtype]), False), stored.shape[1]))
    np.testing.assert_array_equal(vectors_of(column), stored)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sequence_is_a_list_of_vectors_a_row(dtype):
    stored = stored_vectors(VECTORS, dtype)
    data, info = shard_bytes(table_of([stored[:2], stored[:0], stored[2:]], dtype), INFO)
    column = read(data)["embedding"]
    assert column.to_pylist() == [stored[:2].tolist(), [], stored[2:].tolist()]
    np.testing.assert_array_equal(vectors_of(column), stored)
    assert info.norm_max == vector_norms(stored).max()


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_unit_without_rows_has_a_shard_of_the_same_schema(dtype, sequence):
    stored = stored_vectors(VECTORS, dtype)
    full, _ = shard_bytes(table_of([stored] * 3 if sequence else stored, dtype), INFO)
    none = table_of([] if sequence else stored[:0], dtype, columns=COLUMNS.slice(0, 0))
    data, info = shard_bytes(none, replace(INFO, rows=0))
    assert read(data).schema.equals(read(full).schema)
    assert pq.read_metadata(pa.BufferReader(data)).num_row_groups == 0
    assert (info.norm_min, info.norm_mean, info.norm_max) == (0, 0, 0)
    with pq.ParquetFile(pa.BufferReader(data)) as parquet:
        assert sum(map(len, vector_batches(parquet))) == 0


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("float16", 2), ("int8", 1), ("binary", 1 / 8)])
def test_a_number_takes_no_more_bytes_in_the_file_than_in_memory(dtype, size):
    stored = stored_vectors(np.random.default_rng(0).standard_normal((2000, 100)).astype(np.float32), dtype)
    columns = pa.table({"id": ["all the same"] * 2000})
    table = shard_table(columns, np.full(2000, 9), np.zeros(2000, bool), stored, 100, dtype)
    assert shard_bytes(table, INFO)[1].bytes < 1.1 * 200_000 * size + 10_000


def test_the_footer_alone_gives_back_all_that_was_said(tmp_path: Path):
    data, info = shard_bytes(table_of(), INFO)
    path = tmp_path / "shard.parquet"
    path.write_bytes(data)
    assert read_info(STORAGE, str(path)) == info
    assert info.bytes == path.stat().st_size


def test_a_footer_larger_than_the_first_guess_is_read_too(tmp_path: Path):
    wide = COLUMNS
    for number in range(300):
        wide = wide.append_column(f"a kept column with a long name, number {number}", COLUMNS["id"])
    data, info = shard_bytes(table_of(columns=wide), INFO)
    (tmp_path / "shard.parquet").write_bytes(data)
    assert int.from_bytes(data[-8:-4], "little") > 64 << 10
    assert read_info(STORAGE, str(tmp_path / "shard.parquet")) == info


def test_norms_are_those_of_the_vectors():
    _, info = shard_bytes(table_of(), INFO)
    norms = np.linalg.norm(VECTORS, axis=1)
    assert (info.norm_min, info.norm_mean, info.norm_max) == pytest.approx((norms.min(), norms.mean(), norms.max()))


def test_norms_of_int8_vectors_are_those_of_the_scaled_ones():
    stored, scale = quantized(VECTORS, "int8")
    _, info = shard_bytes(table_of(stored, "int8"), replace(INFO, scale=scale))
    assert info.norm_max == pytest.approx(np.linalg.norm(VECTORS, axis=1).max(), rel=0.01)


def test_the_norm_of_a_binary_vector_is_that_of_its_bits():
    _, info = shard_bytes(table_of(stored_vectors(VECTORS, "binary"), "binary"), INFO)
    assert (info.norm_min, info.norm_max) == pytest.approx((3**0.5, 2))


def test_a_large_shard_has_row_groups_and_is_read_in_batches_of_bounded_size(monkeypatch):
    monkeypatch.setattr(shard, "GROUP_NUMBERS", 100)
    monkeypatch.setattr(shard, "BATCH_NUMBERS", 40)
    states = [np.full((row % 7, 4), row, np.float32) for row in range(60)]
    columns = pa.table({"id": pa.array(range(60))})
    table = shard_table(columns, np.zeros(60, np.int32), np.zeros(60, bool), states, 4, "float32")
    with pq.ParquetFile(pa.BufferReader(shard_bytes(table, INFO)[0])) as parquet:
        groups = [parquet.metadata.row_group(number) for number in range(parquet.num_row_groups)]
        assert len(groups) > 5
        assert all(group.column(3).num_values <= 100 + 6 * 4 for group in groups)
        assert parquet.read()["id"].to_pylist() == list(range(60))
        batches = list(vector_batches(parquet))
    assert max(batch.size for batch in batches) <= 100
    np.testing.assert_array_equal(np.concatenate(batches), np.concatenate(states))


def test_a_shards_own_memory_is_the_file_and_no_other_copy_of_the_vectors():
    states = [np.zeros((1000, 100), np.float32) for _ in range(20)]
    embedding = embedding_column(states, 100, "float32")
    starts = [part.ctypes.data for part in vector_parts(embedding)]
    assert starts == [part.ctypes.data for part in states]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused(wrong):
    vectors = VECTORS.copy()
    vectors[1, 2] = wrong
    with pytest.raises(EncorpusError, match=r"part-000001-000002 of corpus/a.parquet: 1 of 3 vectors are NaN"):
        shard_bytes(table_of(vectors), INFO)


@pytest.mark.parametrize("vectors", [VECTORS[:, :3], VECTORS.astype(np.float64)], ids=["dimension", "dtype"])
def test_vectors_of_another_kind_are_refused(vectors):
    with pytest.raises(ValueError, match=r"not float32 \[n, 4\]"):
        table_of(vectors)


def test_metadata_of_the_input_does_not_reach_the_shard():
    tagged = COLUMNS.replace_schema_metadata({"pandas": "{}"})
    data, _ = shard_bytes(table_of(columns=tagged), INFO)
    assert read(data).schema.metadata is None


def test_some_columns_are_read_without_the_others(tmp_path: Path):
    data, _ = shard_bytes(table_of(), INFO)
    (tmp_path / "shard.parquet").write_bytes(data)
    assert read_columns(STORAGE, str(tmp_path / "shard.parquet"), ["id"]).to_pydict() == {"id": ["a", "b", "c"]}


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no Parquet at all" * 9], ids=["empty", "short", "other"])
def test_what_is_no_shard_is_one_clear_line(tmp_path: Path, content: bytes):
    path = tmp_path / "shard.parquet"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"shard\.parquet: not a whole shard \(.+\); delete it") as caught:
        read_info(STORAGE, str(path))
    assert "\n" not in str(caught.value)


def test_a_parquet_file_of_somebody_else_is_no_shard(tmp_path: Path):
    pq.write_table(COLUMNS, tmp_path / "other.parquet")
    with pytest.raises(StorageError, match=r"its footer has no encorpus\.unit"):
        read_info(STORAGE, str(tmp_path / "other.parquet"))


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NORM = st.floats(0, 1e6, width=32)
INFOS = st.builds(
    ShardInfo, unit=TEXT, file=TEXT, version=TEXT, last=st.booleans(), fingerprint=TEXT, encorpus_version=TEXT,
    scale=NORM, norm_min=NORM, norm_mean=NORM, norm_max=NORM, checksum=TEXT, bytes=st.just(7),
)  # fmt: skip


@given(INFOS)
def test_every_info_survives_the_footer(info: ShardInfo):
    metadata = {key.encode(): value.encode() for key, value in to_metadata(info).items()}
    assert from_metadata(metadata, size=7) == info
