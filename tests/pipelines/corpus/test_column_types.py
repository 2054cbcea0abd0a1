"""Column types: what is kept as what, and which types of two files fit in one column without loss."""

from datetime import date, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.corpus.column_types import can_be_kept, plain_type, widened
from pipelines.corpus.plan import Columns
from pipelines.errors import UsageError
from tests.pipelines.corpus.reading import plan_of, read_plan, reasons_of, rows_of, write_parquet, write_text

KEEPING = Columns("text", keep=("kept",))
VIEWS_AND_PLAIN = [
    (pa.string_view(), pa.string()),
    (pa.binary_view(), pa.binary()),
    (pa.dictionary(pa.int8(), pa.string()), pa.string()),
    (pa.dictionary(pa.int8(), pa.int64()), pa.int64()),
    (pa.list_(pa.string_view()), pa.list_(pa.string())),
    (pa.list_(pa.dictionary(pa.int8(), pa.string())), pa.list_(pa.string())),
    (pa.list_view(pa.int32()), pa.list_(pa.int32())),
    (pa.large_list(pa.binary_view()), pa.large_list(pa.binary())),
    (pa.list_(pa.string_view(), 2), pa.list_(pa.string(), 2)),
    (pa.struct([("a", pa.string_view())]), pa.struct([("a", pa.string())])),
    (pa.map_(pa.string_view(), pa.list_(pa.string_view())), pa.map_(pa.string(), pa.list_(pa.string()))),
]
WIDENED = [
    (pa.null(), pa.list_(pa.string()), pa.list_(pa.string())),
    (pa.int8(), pa.int64(), pa.int64()),
    (pa.uint8(), pa.int8(), pa.int16()),
    (pa.uint32(), pa.int32(), pa.int64()),
    (pa.int32(), pa.float32(), pa.float64()),
    (pa.float16(), pa.float32(), pa.float32()),
    (pa.float32(), pa.float64(), pa.float64()),
    (pa.string(), pa.large_string(), pa.large_string()),
    (pa.binary(), pa.large_binary(), pa.large_binary()),
    (pa.date32(), pa.date64(), pa.date64()),
    (pa.decimal128(5, 2), pa.decimal128(7, 3), pa.decimal128(7, 3)),
    (pa.list_(pa.null()), pa.list_(pa.string()), pa.list_(pa.string())),
    (pa.list_(pa.int8(), 2), pa.list_(pa.int32()), pa.list_(pa.int32())),
    (
        pa.struct([("a", pa.int8())]),
        pa.struct([("a", pa.int16()), ("b", pa.string())]),
        pa.struct([("a", pa.int16()), ("b", pa.string())]),
    ),
    (pa.map_(pa.string(), pa.int8()), pa.map_(pa.string(), pa.int16()), pa.map_(pa.string(), pa.int16())),
]
NEVER_ONE = [
    (pa.int64(), pa.float64()),
    (pa.int64(), pa.uint64()),
    (pa.timestamp("us"), pa.timestamp("ns")),
    (pa.timestamp("us"), pa.timestamp("us", "UTC")),
    (pa.duration("s"), pa.duration("ns")),
    (pa.int32(), pa.decimal128(5, 2)),
    (pa.string(), pa.int64()),
    (pa.bool_(), pa.int8()),
    (pa.list_(pa.int64()), pa.list_(pa.float64())),
    (pa.struct([("a", pa.int64())]), pa.struct([("a", pa.float64())])),
    (pa.struct([("a", pa.int8())]), pa.struct([("a", pa.int8()), pa.field("b", pa.int8(), nullable=False)])),
    (pa.map_(pa.string(), pa.int64()), pa.map_(pa.string(), pa.float64())),
    (pa.list_(pa.int8()), pa.int8()),
]


@pytest.mark.parametrize(("kind", "plain"), VIEWS_AND_PLAIN)
def test_dictionaries_and_views_are_kept_as_plain_types(kind: pa.DataType, plain: pa.DataType):
    assert plain_type(kind) == plain
    assert can_be_kept(kind)


@pytest.mark.parametrize(("one", "other", "both"), WIDENED)
def test_types_widen_where_nothing_is_lost(one: pa.DataType, other: pa.DataType, both: pa.DataType):
    assert (widened(one, other), widened(other, one), widened(both, both)) == (both, both, both)


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        (pa.list_(pa.null()), pa.list_(pa.struct([("a", pa.string())])), [[None], []]),
        (pa.map_(pa.string(), pa.null()), pa.map_(pa.string(), pa.int8()), [[("a", None)]]),
        (pa.list_(pa.int8(), 1), pa.list_(pa.int32()), [[1]]),
        (pa.list_(pa.date32()), pa.large_list(pa.date64()), [[date(1970, 1, 2)]]),
        (pa.time32("s"), pa.time64("ns"), [time(1, 2, 3)]),
    ],
)
def test_values_are_the_same_in_the_wider_type(one: pa.DataType, other: pa.DataType, values: list[Any]):
    assert pa.array(values, one).cast(widened(one, other)).to_pylist() == values


def test_a_field_that_a_file_lacks_is_null_there():
    one, other = pa.struct([("a", pa.int8())]), pa.struct([("b", pa.string()), ("a", pa.int16())])
    assert pa.array([{"a": 1}], one).cast(widened(one, other)).to_pylist() == [{"a": 1, "b": None}]


@pytest.mark.parametrize(("one", "other"), NEVER_ONE)
def test_types_do_not_widen_where_a_value_could_be_lost(one: pa.DataType, other: pa.DataType):
    assert (widened(one, other), widened(other, one)) == (None, None)


def kept(path: Path, values: pa.Array) -> Path:
    return write_parquet(path, text=["a", None, "c"], kept=values)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.string_view(), ["x", "y", None]),
        (pa.binary_view(), [b"x", b"y", None]),
        (pa.list_(pa.string_view()), [["x"], None, []]),
        (pa.large_list(pa.string_view()), [["x"], None, []]),
        (pa.list_view(pa.int32()), [[1], None, []]),
        (pa.struct([("a", pa.binary_view())]), [{"a": b"x"}, None, {"a": None}]),
        (pa.map_(pa.string(), pa.string_view()), [[("a", "x")], None, []]),
        (pa.dictionary(pa.int32(), pa.string()), ["x", "y", None]),
    ],
)
def test_kept_views_keep_their_values(tmp_path: Path, kind: pa.DataType, values: list[Any]):
    plan = plan_of(kept(tmp_path / "a.parquet", pa.array(values, kind)), columns=KEEPING)
    assert plan.schema.field("kept").type == plain_type(kind)
    units = list(read_plan(plan, KEEPING))
    assert [row["kept"] for row in rows_of(units)] == [values[0], values[2]]
    assert reasons_of(units) == ["text is null"]


def test_a_kept_string_view_that_is_no_utf8_is_a_reject(tmp_path: Path):
    values = pa.array([b"x", b"y", b"\xff"]).view(pa.string()).cast(pa.string_view())
    units = list(read_plan(plan_of(kept(tmp_path / "a.parquet", values), columns=KEEPING), KEEPING))
    assert reasons_of(units) == ["text is null", "column 'kept' is invalid UTF-8"]


def test_a_type_that_cannot_be_kept_is_refused_by_the_plan(tmp_path: Path):
    views = pa.ExtensionArray.from_storage(pa.json_(pa.string_view()), pa.array(["1"] * 3, pa.string_view()))
    path = kept(tmp_path / "a.parquet", views)
    with pytest.raises(UsageError, match=r"column 'kept' is extension<arrow.json>, a type that cannot be kept"):
        plan_of(path, columns=KEEPING)


def test_a_file_that_cannot_be_used_says_nothing_of_types(tmp_path: Path):
    write_text(tmp_path / "README.txt", "no corpus\n")
    for name in "ab":
        write_parquet(tmp_path / f"{name}.parquet", text=[name], year=pa.array([2024], pa.int64()))
    plan = plan_of(tmp_path, columns=Columns("text", keep=("year",)))
    assert plan.schema.field("year").type == pa.int64()
    assert [file.error is None for file in plan.files] == [False, True, True]


def test_columns_widen_until_all_files_fit(tmp_path: Path):
    keep = Columns("text", "key", ("size",))
    write_parquet(tmp_path / "a.parquet", text=["x"], key=pa.array([1], pa.int16()), size=pa.array([None], pa.null()))
    write_parquet(tmp_path / "b.parquet", text=["x"], key=[2], size=pa.array([1], pa.int32()))
    write_parquet(tmp_path / "c.parquet", text=["x"], key=pa.array([3], pa.uint8()), size=[1 << 40])
    write_parquet(tmp_path / "d.parquet", text=["x"], key=["4"], size=[1])
    plan = plan_of(tmp_path, columns=keep)
    assert plan.schema == pa.schema([("id", pa.int64()), ("size", pa.int64())])
    assert [file.error for file in plan.files] == [None] * 3 + ["column 'id' is string, but int64 in the files before"]
    units = list(read_plan(plan, keep))
    assert pa.concat_tables(unit.table for unit in units).select(["id", "size"]).to_pylist() == [
        {"id": 1, "size": None},
        {"id": 2, "size": 1},
        {"id": 3, "size": 1 << 40},
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([(1 << 60) + 1]), pa.array([0.5])),
        (pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("ns"))),
    ],
)
def test_a_file_whose_values_would_not_fit_is_an_error_of_its_own(tmp_path: Path, first: pa.Array, second: pa.Array):
    write_parquet(tmp_path / "a.parquet", text=["a"], kept=first)
    write_parquet(tmp_path / "b.parquet", text=["b"], kept=second)
    plan = plan_of(tmp_path, columns=KEEPING)
    told = f"column 'kept' is {second.type}, but {first.type} in the files before"
    assert [file.error for file in plan.files] == [None, told]
    assert [row["kept"] for row in rows_of(read_plan(plan, KEEPING))] == first.to_pylist()
