"""The plan: which files, in which order, cut how, and what it says of bad input."""

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.corpus import cut
from pipelines.corpus.plan import (
    Columns,
    CorpusFile,
    Plan,
    Unit,
    make_plan,
    plan_from_bytes,
    plan_to_bytes,
)
from pipelines.errors import StorageError, UsageError
from tests.pipelines.corpus.reading import (
    STORAGE,
    TEXT,
    json_lines,
    numbered,
    plan_of,
    read_plan,
    rejects_of,
    rows_in,
    write_parquet,
    write_text,
)

FILES = st.builds(
    CorpusFile,
    number=st.integers(0, 999),
    uri=st.text(st.characters(exclude_categories=["Cs"])),
    size=st.integers(0, 1 << 62),
    version=st.text("0123456789abcdef-"),
    format=st.sampled_from(["parquet", "jsonl", "csv", "text"]),
    compression=st.none() | st.just("gzip"),
    rows=st.none() | st.integers(0, 1 << 62),
    bounds=st.none() | st.lists(st.integers(0, 1 << 62), min_size=2).map(tuple),
    error=st.none() | st.just("broken"),
)
SCHEMAS = st.sampled_from(
    [pa.schema([("id", pa.int64()), ("tags", pa.list_(pa.string()))]), pa.schema([("id", pa.string())])]
)


def usage_error(*inputs: Path, columns: Columns = TEXT) -> str:
    with pytest.raises(UsageError) as caught:
        plan_of(*inputs, columns=columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(deadline=None)
@given(st.lists(FILES, max_size=5), st.integers(1, 1 << 40), SCHEMAS)
def test_a_plan_survives_its_file(files: list[CorpusFile], shard_rows: int, schema: pa.Schema):
    plan = Plan(tuple(files), shard_rows, schema)
    assert plan_from_bytes(plan_to_bytes(plan)) == plan
    assert plan_to_bytes(plan_from_bytes(plan_to_bytes(plan))) == plan_to_bytes(plan)


def test_a_units_name_has_six_digits_of_file_and_slice():
    assert Unit(12, 3456).name == "part-000012-003456"


def test_files_are_numbered_in_the_order_of_the_inputs_and_sorted_in_each(tmp_path: Path):
    for name in ("b/2.txt", "b/1.txt", "a.txt"):
        (tmp_path / "b").mkdir(exist_ok=True)
        write_text(tmp_path / name, "x\n")
    plan = plan_of(tmp_path / "b", tmp_path / "a.txt")
    assert [(file.number, Path(file.uri).name) for file in plan.files] == [(0, "1.txt"), (1, "2.txt"), (2, "a.txt")]


def test_formats_and_compressions_follow_from_names(tmp_path: Path):
    content = {"csv": b"text\n", "tsv": b"text\n"}
    for name in ("a.jsonl", "b.NDJSON", "c.json.gz", "d.csv", "e.tsv.gz", "f.txt", "g.text.gz"):
        raw = content.get(name.split(".")[1], b"")
        (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    assert [(file.format, file.compression, file.streamed) for file in plan_of(tmp_path).files] == [
        ("jsonl", None, False),
        ("jsonl", None, False),
        ("jsonl", "gzip", True),
        ("csv", None, True),
        ("csv", "gzip", True),
        ("text", None, False),
        ("text", "gzip", True),
    ]


def test_parquet_is_cut_by_row_groups(tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x"] * 100}), path, row_group_size=25)
    file = plan_of(path, shard_rows=50).files[0]
    assert (file.rows, file.bounds) == (100, (0, 50, 100))


def test_parquet_is_cut_by_the_bytes_of_all_columns_that_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cut, "MAX_SLICE_BYTES", 100_000)
    blobs = [b"%06d" % number * 500 for number in range(100)]
    path = write_parquet(tmp_path / "a.parquet", text=["x"] * 100, pages=[[blob] for blob in blobs], pagesize=[1] * 100)
    assert plan_of(path, shard_rows=1_000).files[0].bounds == (0, 100)
    bounds = plan_of(path, columns=Columns("text", keep=("pages",)), shard_rows=1_000).files[0].bounds
    assert bounds == (0, 25, 50, 75, 100)


def test_lines_are_cut_by_their_mean_length(tmp_path: Path):
    path = write_text(tmp_path / "a.txt", "123456789\n" * 100)
    assert plan_of(path, shard_rows=50).files[0].bounds == (0, 500, 1000)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_huge_first_line_makes_no_units_of_many_rows(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(b"x" * (2 << 20) + b"\n" + b"a short line of text\n" * 500_000)
    bounds = plan_of(path, shard_rows=1_000).files[0].bounds
    assert bounds is not None
    assert max(stop - start for start, stop in pairwise(bounds)) <= 2_000 * len("a short line of text\n")


def test_a_file_of_lines_is_sampled_by_few_small_reads(tmp_path: Path):
    reads: list[int] = []

    class Watched(type(STORAGE)):
        def read_range(self, uri: str, start: int, stop: int) -> bytes:
            reads.append(stop - start)
            return super().read_range(uri, start, stop)

    path = write_text(tmp_path / "a.txt", "line\n" * 1_000_000)
    make_plan([str(path)], TEXT, 10, Watched())
    assert len(reads) <= 4 and sum(reads) <= 1 << 20


def test_files_without_rows_have_one_slice_without_rows(tmp_path: Path):
    for name in ("a.txt", "b.jsonl", "c.csv", "d.jsonl.gz"):
        (tmp_path / name).touch()
    write_parquet(tmp_path / "e.parquet", text=pa.array([], pa.string()))
    units = list(read_plan(plan_of(tmp_path)))
    assert [(unit.unit.name, rows_in(unit), unit.start, unit.stop, unit.last) for unit in units] == [
        (f"part-00000{number}-000000", 0, 0, 0, True) for number in range(5)
    ]


def test_the_same_files_give_the_same_plan(tmp_path: Path):
    for number in range(50):
        write_parquet(tmp_path / f"{number}.parquet", text=["x"] * number)
    assert plan_to_bytes(plan_of(tmp_path)) == plan_to_bytes(plan_of(tmp_path))


def test_a_file_given_twice_is_refused(tmp_path: Path):
    path = write_text(tmp_path / "a.txt", "x")
    assert usage_error(tmp_path, path) == f"{path}: given twice; each file belongs to the corpus once"


def link(path: Path, target: str) -> Path:
    path.symlink_to(target)
    return path


@pytest.mark.parametrize("pattern", ["", "**/*.txt", "*/*.txt"])
def test_a_file_that_links_reach_again_is_planned_once(tmp_path: Path, pattern: str):
    (tmp_path / "2024").mkdir()
    path = write_text(tmp_path / "2024/a.txt", "x")
    link(tmp_path / "2024/here", ".")
    link(tmp_path / "latest", "2024")
    assert [file.uri for file in plan_of(tmp_path / pattern).files] == [str(path)]


def test_of_a_file_and_a_link_to_it_the_first_path_is_planned(tmp_path: Path):
    write_text(tmp_path / "b.txt", "x")
    path = link(tmp_path / "a.txt", "b.txt")
    assert [file.uri for file in plan_of(tmp_path).files] == [str(path)]


def test_a_file_that_two_inputs_reach_by_links_is_refused(tmp_path: Path):
    (tmp_path / "2024").mkdir()
    path = write_text(tmp_path / "2024/a.txt", "x")
    latest = link(tmp_path / "latest", "2024")
    message = usage_error(tmp_path / "2024", latest)
    assert message == f"{latest / 'a.txt'}: given twice, also as {path}; each file belongs to the corpus once"


def test_copies_and_hard_links_are_files_of_their_own(tmp_path: Path):
    path = write_text(tmp_path / "a.txt", "x")
    (tmp_path / "b.txt").hardlink_to(path)
    write_text(tmp_path / "c.txt", "x")
    assert len(plan_of(tmp_path).files) == 3


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path):
    for name in ("a.docx", "b.parquet.gz", "c"):
        message = usage_error(write_text(tmp_path / name, ""))
        assert f"{name}: unknown format" in message and ".parquet" in message


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path):
    path = tmp_path / "a\udcff.txt"
    path.touch()
    assert usage_error(path) == f"{str(path)!a}: the file's name is not UTF-8; rename it"


def test_no_inputs_are_refused():
    with pytest.raises(UsageError, match="no input given"):
        make_plan([], TEXT, 10, STORAGE)


def test_a_column_in_no_file_is_refused_with_those_there_are(tmp_path: Path):
    parquet = write_parquet(tmp_path / "a.parquet", body=["x"], title=["y"])
    lines = tmp_path / "b.jsonl"
    lines.write_bytes(json_lines([{"body": "x"}]))
    table = write_text(tmp_path / "c.csv", "body,title\nx,y\n")
    assert usage_error(parquet) == f"{parquet}: no column 'text'; there are: body, title"
    assert usage_error(lines) == f"{lines}: no column 'text'; there are: body"
    assert usage_error(table) == f"{table}: no column 'text'; there are: body, title"
    assert "no column 'url'" in usage_error(tmp_path, columns=Columns("body", keep=("url",)))
    assert "no column 'key'" in usage_error(tmp_path, columns=Columns("body", id="key"))


def test_a_column_of_a_wrong_type_in_every_file_is_refused(tmp_path: Path):
    path = write_parquet(tmp_path / "a.parquet", text=[1, 2], blob=[b"x", b"y"], score=[0.5, 1.5], body=["x", "y"])
    assert usage_error(path) == f"{path}: column 'text' is int64, not string"
    assert "column 'blob' is binary, not string" in usage_error(path, columns=Columns("blob"))
    assert "id column 'score' is double" in usage_error(path, columns=Columns("body", id="score"))


def test_a_column_missing_in_one_file_of_many_is_that_files_error(tmp_path: Path):
    write_parquet(tmp_path / "a.parquet", text=["x"])
    write_parquet(tmp_path / "b.parquet", body=["x"])
    write_text(tmp_path / "c.csv", "body\nx\n")
    plan = plan_of(tmp_path)
    assert [file.error for file in plan.files] == [None, *["no column 'text'; there are: body"] * 2]
    assert [list(plan.units_of(file)) for file in plan.files[1:]] == [[Unit(1, 0)], [Unit(2, 0)]]


def test_a_broken_file_is_an_error_of_its_own(tmp_path: Path):
    good = write_parquet(tmp_path / "a.parquet", text=["x"])
    (tmp_path / "b.parquet").write_bytes(good.read_bytes()[:-20])
    (tmp_path / "c.parquet").touch()
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"text\nx\n")[:12])
    units = list(read_plan(plan_of(tmp_path)))
    assert [unit.table.num_rows for unit in units] == [1, 0, 0, 0]
    broken = rejects_of(units)
    assert [reject["row"] for reject in broken] == [None, None, None]
    assert [reject["reason"].split(":")[0] for reject in broken] == [
        "not a readable Parquet file",
        "not a readable Parquet file",
        "no header",
    ]


def test_a_parquet_file_whose_column_names_are_broken_is_an_error_of_its_own(tmp_path: Path):
    good = write_parquet(tmp_path / "a.parquet", text=["x"], nnnn=["y"])
    (tmp_path / "b.parquet").write_bytes(good.read_bytes().replace(b"nnnn", b"nn\xff\xff"))
    assert [(file.error or "none")[:27] for file in plan_of(tmp_path).files] == ["none", "not a readable Parquet file"]


def test_a_machine_without_memory_is_not_the_files_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_parquet(tmp_path / "a.parquet", text=["x"])

    def no_memory(*_: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 64 failed")

    monkeypatch.setattr(pq, "ParquetFile", no_memory)
    with pytest.raises(MemoryError):
        plan_of(path)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([{"text": "x"}, {"text": "y"}], indent=1),
        json.dumps([{"text": "x"}, {"text": "y"}]),
        '\ufeff\n[\n{"text": "x"},\n{"text": "y"}\n]\n',
        "[" + ",\n".join(['{"text": "' + "x" * 1_000_000 + '"}'] * 3) + "]",
    ],
)
def test_a_json_array_is_an_error_that_says_what_to_do(tmp_path: Path, content: str):
    path = write_text(tmp_path / "a.json", content)
    file = plan_of(path).files[0]
    assert file.error == "a JSON array, not JSON Lines; convert it, for example with `jq -c '.[]'`"


def test_json_lines_may_start_with_a_line_that_is_an_array(tmp_path: Path):
    assert plan_of(write_text(tmp_path / "a.jsonl", '["x"]\n{"text": "y"}\n')).files[0].error is None


def test_a_corpus_of_one_broken_file_is_planned(tmp_path: Path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    assert plan_of(tmp_path).files[0].error is not None


def test_a_sparse_kept_key_beyond_the_first_mib_is_no_mistake(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(json_lines([{"text": "x" * 2_000_000}, {"text": "y", "url": "u"}]))
    assert plan_of(path, columns=Columns("text", keep=("url",))).files[0].error is None


def test_plain_text_has_no_columns(tmp_path: Path):
    path = write_text(tmp_path / "a.txt", "x")
    told = "a.txt: no column 'url' in plain text, nor a folder url=… in its path"
    assert told in usage_error(path, columns=Columns("text", keep=("url",)))
    assert "plain text has no columns" in usage_error(path, columns=Columns("text", id="key"))


@pytest.mark.parametrize("name", ["id", "embedding", "row"])
def test_a_kept_name_that_the_shards_use_is_refused(tmp_path: Path, name: str):
    columns: dict[str, Any] = {"text": ["x"], name: ["y"]}
    path = write_parquet(tmp_path / "a.parquet", **columns)
    assert f"cannot keep column '{name}'" in usage_error(path, columns=Columns("text", keep=(name,)))


def test_a_file_that_goes_missing_while_planning_is_a_storage_error(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(json_lines(numbered(3)))

    class Vanishing(type(STORAGE)):
        def open(self, uri: str):
            path.unlink(missing_ok=True)
            return super().open(uri)

    with pytest.raises(StorageError, match="cannot read: No such file"):
        make_plan([str(path)], TEXT, 10, Vanishing())


def test_a_kept_key_in_no_row_of_a_small_compressed_file_is_refused(tmp_path: Path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json_lines(numbered(3))))
    assert usage_error(path, columns=Columns("text", keep=("url",))) == f"{path}: no column 'url'; there are: text"
