"""Slices of files that are cut: rows, ids, kept columns and rejects of Parquet, JSON Lines and text."""

import codecs
import io
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpus import parquet_rows
from pipelines.corpus.plan import Columns, CorpusFile, Plan, Unit
from pipelines.corpus.readers import read_slice
from pipelines.corpus.rows import REJECT_SCHEMA
from pipelines.errors import InputChangedError, StorageError
from tests.pipelines.corpus.reading import (
    STORAGE,
    TEXT,
    json_lines,
    numbered,
    plan_of,
    read,
    read_plan,
    reasons_of,
    rejects_of,
    rows_in,
    rows_of,
    texts_of,
    write_parquet,
)

KEEPING = Columns("text", "key", ("tags",))


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_parquet_files_slices_have_all_rows_in_order(tmp_path: Path):
    texts = [f"text {number}" for number in range(95)]
    units = read(write_parquet(tmp_path / "a.parquet", row_group_size=40, text=texts))
    assert texts_of(units) == texts
    assert [row["id"] for row in rows_of(units)] == [f"000000:{number}" for number in range(95)]
    assert [(unit.start, unit.stop, unit.last) for unit in units][-1] == (87, 95, True)
    assert all(rows_in(unit) == unit.stop - unit.start for unit in units)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 3_000), st.integers(1, 3_000), st.data())
def test_any_bounds_of_a_parquet_file_have_each_row_exactly_once(
    tmp_path: Path, rows: int, row_group_size: int, data: st.DataObject
):
    path = write_parquet(tmp_path / "a.parquet", row_group_size, text=[str(number) for number in range(rows)])
    planned = plan_of(path).files[0]
    bounds = tuple(sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=4))}))
    plan = Plan((replace(planned, bounds=bounds),), 10)
    units = list(read_plan(plan))
    assert [(row["row"], row["text"]) for row in rows_of(units)] == [(row, str(row)) for row in range(rows)]
    assert [(unit.start, unit.stop, rows_in(unit)) for unit in units] == [
        (start, stop, stop - start) for start, stop in pairwise(bounds)
    ]


def test_a_units_columns_are_id_kept_row_and_text(tmp_path: Path):
    path = write_parquet(
        tmp_path / "a.parquet",
        tags=pa.array([["a"], None]),
        other=[1, 2],
        text=pa.array(["x", "y"]).dictionary_encode(),
        key=pa.array([7, 8], pa.int32()),
    )
    (unit,) = read(path, columns=KEEPING)
    assert unit.table.schema == pa.schema(
        [("id", pa.int64()), ("tags", pa.list_(pa.string())), ("row", pa.int64()), ("text", pa.string())]
    )
    assert unit.table.to_pylist()[0] == {"id": 7, "tags": ["a"], "row": 0, "text": "x"}
    assert unit.rejects.schema == REJECT_SCHEMA


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_every_kind_of_string_column_is_text(tmp_path: Path, kind: pa.DataType):
    path = write_parquet(tmp_path / "a.parquet", text=pa.array(["x", None, "é"]).cast(kind))
    units = read(path, columns=Columns("text", keep=("text",)))
    assert rows_of(units) == [{"id": "000000:0", "row": 0, "text": "x"}, {"id": "000000:2", "row": 2, "text": "é"}]
    assert reasons_of(units) == ["text is null"]


def test_a_text_column_of_another_name_can_be_kept_too(tmp_path: Path):
    (unit,) = read(write_parquet(tmp_path / "a.parquet", body=["x"]), columns=Columns("body", keep=("body",)))
    assert unit.table.to_pylist() == [{"id": "000000:0", "body": "x", "row": 0, "text": "x"}]


def test_parquet_rows_that_cannot_be_embedded_are_rejects(tmp_path: Path):
    bad_utf8 = pa.array([b"ok", b"\xff bad", b"ok", b"ok"]).view(pa.string())
    path = write_parquet(
        tmp_path / "a.parquet", text=bad_utf8, key=pa.array([1, 2, None, 1 << 63], pa.uint64()), tags=["a"] * 4
    )
    units = read(path, columns=KEEPING)
    assert [row["id"] for row in rows_of(units)] == [1]
    assert rejects_of(units) == [
        {"id": "2", "file": str(path), "row": 1, "reason": "text is invalid UTF-8", "text": "\ufffd bad"},
        {"id": None, "file": str(path), "row": 2, "reason": "id is null", "text": "ok"},
        {"id": None, "file": str(path), "row": 3, "reason": "id does not fit in 64 signed bits", "text": "ok"},
    ]


def test_a_damaged_row_group_keeps_the_rows_before_it(tmp_path: Path):
    texts = [f"{number:01000d}" for number in range(4_000)]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": texts}), path, use_dictionary=False, compression="none", data_page_size=1)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 100_000] = b"\xff" * 100_000
    plan = plan_of(write(path, bytes(content)), shard_rows=4_000)
    (unit,) = read_plan(plan)
    assert unit.table["text"].to_pylist() == texts[: unit.table.num_rows]
    assert unit.table.num_rows >= 1_000
    assert [reject["row"] for reject in rejects_of([unit])] == [None]
    assert reasons_of([unit])[0].startswith("cannot be read on: ")


@pytest.mark.parametrize(
    "error", [pa.ArrowMemoryError("malloc of size 64 failed"), pa.ArrowNotImplementedError("no kernel"), KeyError("x")]
)
def test_what_is_not_the_files_fault_is_no_reject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception):
    plan = plan_of(write_parquet(tmp_path / "a.parquet", text=["x"]))

    def failing(*_: object, **__: object):
        raise error
        yield

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", failing)
    with pytest.raises(type(error)):
        list(read_plan(plan))


def test_a_defect_in_sorting_out_rows_is_no_reject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan = plan_of(write_parquet(tmp_path / "a.parquet", text=["x"]))

    def failing(*_: object):
        raise pa.ArrowInvalid("not the file's fault")

    monkeypatch.setattr(parquet_rows, "generated_ids", failing)
    with pytest.raises(pa.ArrowInvalid):
        list(read_plan(plan))


def test_a_store_that_fails_while_parquet_is_read_is_no_reject(tmp_path: Path):
    path = write_parquet(tmp_path / "a.parquet", text=[f"{number:0100}" for number in range(10_000)])
    plan = plan_of(path)

    class AllButTheFooter(io.FileIO):
        def readinto(self, buffer: Any) -> int | None:
            if self.tell() < path.stat().st_size // 2:
                raise StorageError("the store is down")
            return super().readinto(buffer)

    class Failing(type(STORAGE)):
        def open(self, uri: str):
            return io.BufferedReader(AllButTheFooter(uri), 1)

    with pytest.raises(StorageError, match="the store is down"):
        read_slice(plan, Unit(0, 0), TEXT, Failing())


def test_json_lines_give_strings_and_json_text(tmp_path: Path):
    records = [
        {"text": "a", "key": "k", "tags": ["x", 1]},
        {"text": "b", "key": 12, "tags": "plain"},
        {"text": "c", "key": -1, "tags": None},
        {"text": "d", "key": ""},
    ]
    units = read(write(tmp_path / "a.jsonl", json_lines(records)), columns=KEEPING)
    assert [(row["id"], row["tags"], row["text"]) for row in rows_of(units)] == [
        ("k", '["x",1]', "a"),
        ("12", "plain", "b"),
        ("-1", None, "c"),
        ("", None, "d"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": null, "key": 1}', "text is null"),
        (b'{"text": 5, "key": 1}', "text is a number, not a string"),
        (b'{"text": ["a"], "key": 1}', "text is an array, not a string"),
        (b'{"key": 1}', "no key 'text'"),
        (b'{"text": "a"}', "no key 'key'"),
        (b'{"text": "a", "key": null}', "id is null"),
        (b'{"text": "a", "key": true}', "id is a boolean, not a string or an integer of 64 bits"),
        (b'{"text": "a", "key": 99999999999999999999}', "id is a number, not a string or an integer of 64 bits"),
        (b'{"text": "a"', "invalid JSON: the line ends inside the JSON"),
        (b'["a"]', "JSON is an array, not an object"),
        (b'"a"', "JSON is a string, not an object"),
        (b'{"text": "\xff", "key": 1}', "invalid UTF-8"),
        (b'{"text": "\\ud800", "key": 1}', "invalid JSON: a lone surrogate (\\ud800 to \\udfff) is not a character"),
        (b'{"text": "\\udc00x", "key": 1}', "invalid JSON: a lone surrogate (\\ud800 to \\udfff) is not a character"),
        (b'{"text": "a", "key": 1, "tags": 18446744073709551616}', "a kept value has an integer beyond 64 bits"),
        (b'{"text": "a", "key": 1, "tags": -9223372036854775809}', "a kept value has an integer beyond 64 bits"),
        (b'{"text": "a", "key": 1, "tags": [{"n": %d}]}' % (10**300), "a kept value has an integer beyond 64 bits"),
        (b'{"text": "a", "key": 1, "tags": ' + b"[" * 900 + b"]" * 900 + b"}", "a kept value is nested too deeply"),
    ],
)
def test_json_lines_that_cannot_be_embedded_are_rejects(tmp_path: Path, line: bytes, reason: str):
    good = b'{"text": "good", "key": 0, "tags": null}\n'
    path = write(tmp_path / "a.jsonl", good + line + b"\n" + good)
    units = read(path, columns=KEEPING)
    assert texts_of(units) == ["good", "good"]
    assert [(reject["reason"], reject["row"]) for reject in rejects_of(units)] == [(reason, len(good))]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1e30", "1e+30"),
        ("0.1234567890123456789", "0.12345678901234568"),
        ('"99999999999999999999999"', "99999999999999999999999"),
        ('null, "other": 99999999999999999999999', None),
    ],
)
def test_long_numbers_that_lose_nothing_are_kept(tmp_path: Path, value: str, kept: str | None):
    path = write(tmp_path / "a.jsonl", f'{{"text": "a", "key": 1, "tags": {value}}}\n'.encode())
    assert [row["tags"] for row in rows_of(read(path, columns=KEEPING))] == [kept]


def test_a_rejects_text_is_cut(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", b'{"text": "a"}\n{"text": ' + b"9" * 5_000 + b"}\n")
    assert len(rejects_of(read(path))[0]["text"]) == 200


def test_odd_but_good_json_texts_are_rows(tmp_path: Path):
    texts = ["", "  ", "a\nb", "\0", "\U0001f600"]
    assert texts_of(read(write(tmp_path / "a.jsonl", json_lines({"text": text} for text in texts)))) == texts


def test_json_lines_may_end_with_crlf_start_with_a_mark_and_have_blanks(tmp_path: Path):
    content = codecs.BOM_UTF8 + b'{"text": "a"}\r\n\r\n  \n{"text": "b"}'
    units = read(write(tmp_path / "a.jsonl", content), shard_rows=100)
    assert [(row["text"], row["row"]) for row in rows_of(units)] == [("a", 0), ("b", 23)]
    assert reasons_of(units) == []


def test_every_line_of_plain_text_is_a_row_blank_ones_too(tmp_path: Path):
    content = codecs.BOM_UTF8 + b"a\r\n\n \nb\xff\nlast"
    units = read(write(tmp_path / "a.txt", content), shard_rows=100)
    assert [(row["text"], row["id"]) for row in rows_of(units)] == [
        ("a", "000000:0"),
        ("", "000000:6"),
        (" ", "000000:7"),
        ("last", "000000:12"),
    ]
    assert [(reject["reason"], reject["row"], reject["id"]) for reject in rejects_of(units)] == [
        ("invalid UTF-8", 9, "000000:9")
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([b'{"text": "a"}', b"{", b"", b'{"text": "long long long"}\r']), max_size=20), st.data()
)
def test_any_slices_of_a_file_have_each_row_exactly_once(tmp_path: Path, lines: list[bytes], data: st.DataObject):
    path = write(tmp_path / "a.jsonl", b"\n".join(lines))
    size = path.stat().st_size
    entry = STORAGE.entry(str(path))
    assert entry is not None
    places = data.draw(st.lists(st.integers(0, size)))
    bounds = tuple(sorted({0, size, *places})) if size else (0, 0)
    file = CorpusFile(0, str(path), size, entry.version, "jsonl", None, None, bounds, None)
    units = [read_slice(Plan((file,), 10), Unit(0, number), TEXT, STORAGE) for number in range(len(bounds) - 1)]
    rows = [row["row"] for unit in units for table in (unit.table, unit.rejects) for row in table.to_pylist()]
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    assert sorted(rows) == [start for start, line in zip(starts, lines, strict=True) if line]
    assert [(unit.start, unit.stop) for unit in units] == list(pairwise(bounds))
    assert [unit.last for unit in units] == [False] * (len(units) - 1) + [True]


def test_a_file_that_changed_since_the_plan_is_refused(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", json_lines(numbered(3)))
    plan = plan_of(path)
    write(path, json_lines(numbered(4)))
    with pytest.raises(InputChangedError, match=r"a.jsonl: has changed since the plan was made"):
        list(read_plan(plan))
    path.unlink()
    with pytest.raises(StorageError, match=r"a.jsonl: is gone"):
        list(read_plan(plan))


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_unit_of_a_file_that_is_replaced_while_it_is_read_is_refused(tmp_path: Path, name: str):
    path = tmp_path / name
    if name.endswith("parquet"):
        write_parquet(path, text=["x"])
    else:
        write(path, json_lines(numbered(1)))
    plan = plan_of(path)

    class Replaced(type(STORAGE)):
        def open(self, uri: str):
            handle = super().open(uri)
            write(path, path.read_bytes())
            os.utime(path, ns=(1, 1))
            return handle

        def read_range(self, uri: str, start: int, stop: int) -> bytes:
            with self.open(uri) as handle:
                return handle.read()[start:stop]

    with pytest.raises(InputChangedError, match="has changed since the plan was made"):
        read_slice(plan, Unit(0, 0), TEXT, Replaced())
