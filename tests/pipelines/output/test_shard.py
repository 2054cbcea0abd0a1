"""A shard's file: its columns, what its footer says, and that any Parquet reader reads it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import EncorpusError, StorageError
from pipelines.output.shard import ShardInfo, Vectors, read_columns, read_info, shard_bytes, shard_table
from pipelines.output.shard_info import from_metadata, to_metadata
from pipelines.output.vectors import vectors_of
from pipelines.storage import Storage

INFO = ShardInfo("part-000001-000002", "corpus/a.parquet", "v1", 10, 13, False, 3, 0, 12, 1, "f" * 64, "0.1.0", 4)
COLUMNS = pa.table({"id": ["a", "b", "c"], "tags": [["x"], [], None]})
TOKENS = np.array([3, 4, 5], np.int32)
TRUNCATED = np.array([False, False, True])
VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4)
STORAGE = Storage()


def table_of(vectors: Vectors = VECTORS, dtype="float32", columns=COLUMNS) -> pa.Table:
    return shard_table(columns, TOKENS[: columns.num_rows], TRUNCATED[: columns.num_rows], vectors, 4, dtype)


def read(data: memoryview) -> pa.Table:
    return pq.read_table(pa.BufferReader(data))


def test_the_columns_are_id_kept_tokens_truncated_embedding():
    data, _ = shard_bytes(table_of(), INFO)
    table = read(data)
    assert table.schema.names == ["id", "tags", "tokens", "truncated", "embedding"]
    assert table.to_pylist()[2] == {
        "id": "c", "tags": None, "tokens": 5, "truncated": True, "embedding": [8.0, 9.0, 10.0, 11.0]
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_vectors_come_back_bit_by_bit(dtype):
    data, _ = shard_bytes(table_of(VECTORS.astype(dtype), dtype), INFO)
    column = read(data)["embedding"]
    assert pa.types.is_fixed_size_list(column.type)
    np.testing.assert_array_equal(vectors_of(column), VECTORS.astype(dtype))


def test_a_sequence_is_a_list_of_vectors_a_row():
    states = [VECTORS[:2], VECTORS[:0], VECTORS[2:]]
    data, info = shard_bytes(table_of(states), INFO)
    column = read(data)["embedding"]
    assert column.to_pylist() == [VECTORS[:2].tolist(), [], VECTORS[2:].tolist()]
    np.testing.assert_array_equal(vectors_of(column), VECTORS)
    assert info.norm_max == pytest.approx(np.linalg.norm(VECTORS[2]))


@pytest.mark.parametrize("vectors", [VECTORS[:0], []], ids=["vectors", "sequence"])
def test_a_unit_without_rows_has_a_shard_of_the_same_schema(vectors):
    full, _ = shard_bytes(table_of(VECTORS if isinstance(vectors, np.ndarray) else [VECTORS] * 3), INFO)
    data, info = shard_bytes(table_of(vectors, columns=COLUMNS.slice(0, 0)), replace(INFO, rows=0))
    assert read(data).schema.equals(read(full).schema)
    assert (info.norm_min, info.norm_mean, info.norm_max) == (0, 0, 0)


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
    norm_min=NORM, norm_mean=NORM, norm_max=NORM, checksum=TEXT, bytes=st.just(7),
)  # fmt: skip


@given(INFOS)
def test_every_info_survives_the_footer(info: ShardInfo):
    metadata = {key.encode(): value.encode() for key, value in to_metadata(info).items()}
    assert from_metadata(metadata, size=7) == info
