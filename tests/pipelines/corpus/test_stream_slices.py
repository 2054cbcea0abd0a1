"""Streamed files: slices numbered as they come, the same for any stripes and any resume, and how streams break."""

import bz2
import gzip
import tracemalloc
import weakref
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpus import csv_rows, readers, rows
from pipelines.corpus.plan import Columns, Plan
from pipelines.corpus.readers import stream_slices
from pipelines.corpus.rows import UnitRows
from pipelines.errors import InputChangedError
from tests.pipelines.corpus.reading import (
    STORAGE,
    TEXT,
    json_lines,
    numbered,
    plan_of,
    read,
    reasons_of,
    rejects_of,
    rows_in,
    rows_of,
    texts_of,
    write_gzip,
)


def stream(plan: Plan, stripe: int = 0, stripes: int = 1, done: Any = ()) -> list[UnitRows]:
    return list(stream_slices(plan, plan.files[0], TEXT, STORAGE, stripe, stripes, done))


def shape(units: list[UnitRows]) -> list[tuple[int, int, int, int, bool]]:
    return [(unit.unit.slice, rows_in(unit), unit.start, unit.stop, unit.last) for unit in units]


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("a.jsonl.gz", gzip.compress),
        ("a.jsonl.zst", zstandard.compress),
        ("a.ndjson.zstd", zstandard.compress),
        ("a.json.bz2", bz2.compress),
    ],
)
def test_a_compressed_file_gives_what_the_plain_one_does(tmp_path: Path, name: str, compress: Any):
    content = json_lines(numbered(95))
    (tmp_path / "plain.jsonl").write_bytes(content)
    (tmp_path / name).write_bytes(compress(content))
    units = read(tmp_path / name)
    assert rows_of(units) == rows_of(read(tmp_path / "plain.jsonl"))
    assert [rows_in(unit) for unit in units] == [10] * 9 + [5]
    assert [unit.unit.name for unit in units][-1] == "part-000000-000009"
    assert (units[0].start, units[-1].stop) == (0, len(content))


@pytest.mark.parametrize(("rows", "slices"), [(9, [9]), (10, [10]), (11, [10, 1]), (20, [10, 10])])
def test_the_slice_that_is_last_says_so(tmp_path: Path, rows: int, slices: list[int]):
    units = read(write_gzip(tmp_path / "a.jsonl.gz", [json_lines(numbered(rows))]))
    assert [rows_in(unit) for unit in units] == slices
    assert [unit.last for unit in units] == [False] * (len(slices) - 1) + [True]


def test_slices_tile_the_stream_without_gaps(tmp_path: Path):
    content = b"\n".join([b"\n", *json_lines(numbered(40)).split(b"\n"), b"\n"])
    units = read(write_gzip(tmp_path / "a.jsonl.gz", [content]))
    assert units[0].start == 0 and units[-1].stop == len(content)
    assert all(before.stop == after.start for before, after in pairwise(units))


LINES = st.lists(st.sampled_from([b'{"text": "a"}\n', b"{\n", b"\n", b'{"text": null}\r\n']), max_size=60)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, st.integers(1, 12), st.integers(1, 6), st.sets(st.integers(0, 20)), st.booleans())
def test_stripes_and_resume_change_no_slice(
    tmp_path: Path, lines: list[bytes], shard_rows: int, stripes: int, done: set[int], truncated: bool
):
    path = write_gzip(tmp_path / "a.jsonl.gz", [*lines, b'{"text": "z"}'])
    path.write_bytes(path.read_bytes()[: -8 if truncated else None])
    plan = plan_of(path, shard_rows=shard_rows)
    whole = stream(plan)
    striped = [unit for stripe in range(stripes) for unit in stream(plan, stripe, stripes, done)]
    expected = [unit for unit in whole if unit.unit.slice not in done]
    assert sorted(striped, key=lambda unit: unit.unit.slice) == expected
    assert [unit.unit.slice for unit in whole] == list(range(len(whole)))
    assert [unit.last for unit in whole] == [False] * (len(whole) - 1) + [True]


@pytest.mark.parametrize("cut", [-1, -9, -300])
def test_a_truncated_gzip_keeps_the_rows_read_so_far(tmp_path: Path, cut: int):
    path = write_gzip(tmp_path / "a.jsonl.gz", [json_lines(numbered(1_000))])
    path.write_bytes(path.read_bytes()[:cut])
    units = read(path, shard_rows=300)
    assert texts_of(units) == [f"text {number}" for number in range(len(texts_of(units)))]
    assert len(texts_of(units)) > 800
    assert rejects_of(units) == [
        {"id": None, "file": str(path), "row": None, "reason": "truncated gzip stream", "text": None}
    ]
    assert units[-1].last and units[-1].rejects.num_rows == 1


def test_a_stream_that_breaks_after_a_full_slice_adds_no_slice(tmp_path: Path):
    path = write_gzip(tmp_path / "a.txt.gz", [b"a\n" * 10])
    path.write_bytes(path.read_bytes()[:-1])
    assert [(unit.table.num_rows, unit.rejects.num_rows, unit.last) for unit in read(path)] == [(10, 1, True)]


def test_a_slice_ends_when_its_bytes_reach_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readers, "MAX_SLICE_BYTES", 25)
    units = read(write_gzip(tmp_path / "a.txt.gz", [b"0123456789\n" * 7]))
    assert [rows_in(unit) for unit in units] == [3, 3, 1]


def test_csv_gives_fields_by_name_and_rows_by_number(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfkey,text,tags\r\n1,"a ""quoted""\r\nline",x\r\n\r\n2,b,\r\n')
    units = read(path, columns=Columns("text", "key", ("tags",)))
    assert rows_of(units) == [
        {"id": "1", "tags": "x", "row": 0, "text": 'a "quoted"\r\nline'},
        {"id": "2", "tags": "", "row": 1, "text": "b"},
    ]
    assert shape(units) == [(0, 2, 0, 2, True)]


def test_tsv_is_separated_by_tabs(tmp_path: Path):
    (tmp_path / "a.tsv").write_bytes(b"text\tother\na, b\tc\n")
    assert texts_of(read(tmp_path / "a.tsv")) == ["a, b"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"1", "fewer fields than the header"),
        (b"1,a,b", "more fields than the header"),
        (b",a", "id is null"),
        (b"1,caf\xe9", "invalid UTF-8"),
        (b'1,"a"b', "invalid CSV: ',' expected after '\"'"),
        (b"1,a\rb", "invalid CSV: a carriage return outside quotes"),
    ],
)
def test_csv_records_that_cannot_be_embedded_are_rejects(tmp_path: Path, record: bytes, reason: str):
    path = tmp_path / "a.csv"
    path.write_bytes(b"key,text\n0,good\n" + record + b"\n2,good\n")
    units = read(path, columns=Columns("text", "key"))
    assert [row["row"] for row in rows_of(units)] == [0, 2]
    assert [(reject["row"], reject["reason"]) for reject in rejects_of(units)] == [(1, reason)]


def test_a_csv_quote_that_is_never_closed_is_one_reject(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b'text\na\n"b\nc\nd\n')
    units = read(tmp_path / "a.csv")
    assert (texts_of(units), reasons_of(units)) == (["a"], ["invalid CSV: a quote is never closed"])


def test_a_csv_stream_ends_at_a_record_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csv_rows, "MAX_LINE_BYTES", 100)
    inside = b"".join(b"inside %d,x\n" % number for number in range(20))
    (tmp_path / "a.csv").write_bytes(b'text,b\nok,1\n"' + inside + b'",2\nafter,3\n')
    units = read(tmp_path / "a.csv")
    assert (texts_of(units), shape(units)) == (["ok"], [(0, 2, 0, 1, True)])
    assert [(reject["row"], reject["reason"]) for reject in rejects_of(units)] == [(None, csv_rows.RECORD_TOO_LONG)]


def test_nul_bytes_are_characters(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"text\na\0b\n")
    assert texts_of(read(tmp_path / "a.csv")) == ["a\0b"]


def test_a_csv_field_may_be_long(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"text\n" + b"x" * 2_000_000 + b"\n")
    assert len(texts_of(read(tmp_path / "a.csv"))[0]) == 2_000_000


def test_a_truncated_csv_keeps_the_rows_read_so_far(tmp_path: Path):
    path = write_gzip(tmp_path / "a.csv.gz", [b"text\n", *(b"%d\n" % number for number in range(500))])
    path.write_bytes(path.read_bytes()[:-9])
    units = read(path)
    assert texts_of(units) == [str(number) for number in range(len(texts_of(units)))]
    assert (reasons_of(units), len(texts_of(units)) > 400) == (["truncated gzip stream"], True)


def test_a_streamed_file_that_changed_since_the_plan_is_refused(tmp_path: Path):
    path = write_gzip(tmp_path / "a.jsonl.gz", [json_lines(numbered(3))])
    plan = plan_of(path)
    write_gzip(path, [json_lines(numbered(4))])
    with pytest.raises(InputChangedError, match="has changed"):
        stream(plan)


def test_slices_of_a_file_that_is_replaced_while_it_is_read_are_refused(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "old line\n" * 100_000)
    slices = stream_slices(plan_of(path), plan_of(path).files[0], TEXT, STORAGE, 0, 1, ())
    assert next(slices).table["text"][0].as_py() == "old line"
    path.write_text("text\n" + "new line\n" * 100_000)
    with pytest.raises(InputChangedError, match="has changed since the plan was made"):
        next(slices)


def test_a_slice_is_the_same_however_often_its_rows_are_put_away(tmp_path: Path, monkeypatch):
    path = write_gzip(tmp_path / "a.jsonl.gz", [json_lines([*numbered(50), {"text": "long " * 20}, *numbered(30)])])
    whole = read(path)
    monkeypatch.setattr(rows, "HELD_CHARACTERS", 20)
    in_parts = read(path)
    assert rows_of(in_parts) == rows_of(whole)
    assert shape(in_parts) == shape(whole)


def test_of_a_slice_few_rows_are_held_as_python_strings(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(rows, "HELD_CHARACTERS", 1 << 20)
    # One character beyond 16 bits, and all the others take four bytes each.
    text = "\N{FOX FACE}" + "x" * 100_000
    path = write_gzip(tmp_path / "a.jsonl.gz", [json_lines({"text": f"{row}{text}"} for row in range(200))])
    tracemalloc.start()
    try:
        (unit,) = read(path, shard_rows=1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert unit.table.nbytes > 20_000_000
    assert peak < 10_000_000


def test_a_slice_is_not_held_while_the_next_is_read(tmp_path: Path):
    plan = plan_of(write_gzip(tmp_path / "a.jsonl.gz", [json_lines(numbered(25))]))
    slices = stream_slices(plan, plan.files[0], TEXT, STORAGE, 0, 1, ())
    assert [weakref.ref(next(slices).table)() for _ in range(3)] == [None] * 3
