"""Hive-partitioned folders: what a file's path says of its rows is kept as a column, in every format."""

import gzip
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.partitions import partition_values
from pipelines.corpus.plan import Columns
from pipelines.errors import UsageError
from pipelines.output.verify import verify
from tests.pipelines.corpus.reading import plan_of, read, read_plan, reasons_of, rows_of, write_parquet
from tests.pipelines.output.fake_job import FakeJob, output_in

KEEPING = Columns("text", keep=("lang",))
FORMATS = {
    "a.jsonl": b'{"text": "a"}\n{"text": "b"}\n',
    "a.jsonl.gz": gzip.compress(b'{"text": "a"}\n{"text": "b"}\n'),
    "a.csv": b"text\na\nb\n",
    "a.txt": b"a\nb\n",
    "a.txt.gz": gzip.compress(b"a\nb\n"),
}
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda name: name not in (".", ".."))


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def langs(units) -> list[str | None]:
    return [row["lang"] for row in rows_of(units)]


# Paths.


@pytest.mark.parametrize(
    ("uri", "values"),
    [
        ("s3://b/t/lang=en/year=2024/part.parquet", {"lang": "en", "year": "2024"}),
        ("/data/lang=__HIVE_DEFAULT_PARTITION__/a.txt", {"lang": None}),
        ("/data/path=a%2Fb%3Dc/a.txt", {"path": "a/b=c"}),
        ("/data/a%20key=1/a.txt", {"a key": "1"}),
        ("/data/lang=/a.txt", {"lang": ""}),
        ("/data/sum=1=1/a.txt", {"sum": "1=1"}),
        ("/data/lang=de/lang=en/a.txt", {"lang": "en"}),
        ("/data/=en/lang=en.txt", {}),
        ("a.txt", {}),
    ],
)
def test_folders_of_a_key_and_a_value_are_read(uri: str, values: dict):
    assert partition_values(uri) == values


@given(NAMES, NAMES)
def test_whatever_is_percent_encoded_comes_back(key: str, value: str):
    assert partition_values(f"s3://b/{quote(key, safe='')}={quote(value, safe='')}/a.txt") == {key: value}


# Files of every format.


@pytest.mark.parametrize("name", FORMATS)
def test_the_value_is_a_column_of_every_row(tmp_path: Path, name: str):
    put(tmp_path / "lang=en" / name, FORMATS[name])
    put(tmp_path / "lang=pt%2Dbr" / name, FORMATS[name])
    put(tmp_path / "lang=__HIVE_DEFAULT_PARTITION__" / name, FORMATS[name])
    plan = plan_of(tmp_path, columns=KEEPING)
    assert plan.schema.field("lang").type == pa.string()
    assert langs(read_plan(plan, KEEPING)) == [None] * 2 + ["en"] * 2 + ["pt-br"] * 2


def test_the_value_is_a_column_of_every_row_of_parquet(tmp_path: Path):
    (tmp_path / "lang=en").mkdir()
    write_parquet(tmp_path / "lang=en" / "a.parquet", 100, text=[f"{row}" for row in range(3000)], other=[1] * 3000)
    assert langs(read(tmp_path, columns=KEEPING)) == ["en"] * 3000


def test_what_pyarrow_writes_as_partitions_comes_back(tmp_path: Path):
    values = ["en", "a/b", "ü ö", None, "100%", "x=y", "2024"]
    table = pa.table({"text": [f"text {row}" for row in range(7)], "lang": values, "year": list(range(7))})
    partitioning = ds.partitioning(pa.schema([("lang", pa.string()), ("year", pa.int64())]), flavor="hive")
    ds.write_dataset(table, tmp_path, format="parquet", partitioning=partitioning)
    rows = rows_of(read(tmp_path, columns=Columns("text", keep=("year", "lang"))))
    found = {row["text"]: (row["lang"], row["year"]) for row in rows}
    assert found == {f"text {row}": (values[row], f"{row}") for row in range(7)}


def test_the_files_own_column_wins(tmp_path: Path):
    put(tmp_path / "lang=en" / "a.csv", b"text,lang\na,own\n")
    put(tmp_path / "lang=en" / "b.jsonl", b'{"text": "a", "lang": "own"}\n{"text": "b"}\n{"text": "c", "lang": null}\n')
    write_parquet(tmp_path / "lang=en" / "c.parquet", text=["a"], lang=["own"])
    assert langs(read(tmp_path, columns=KEEPING)) == ["own", "own", "en", None, "own"]


def test_a_file_with_neither_folder_nor_column_is_one_reject(tmp_path: Path):
    put(tmp_path / "lang=en" / "a.txt", b"good\n")
    put(tmp_path / "other" / "b.txt", b"bad\n")
    put(tmp_path / "other" / "c.csv", b"text\nbad\n")
    put(tmp_path / "other" / "d.jsonl", b'{"text": "bad"}\n')
    units = read(tmp_path, columns=KEEPING)
    assert langs(units) == ["en", None]  # of JSON Lines, a missing key is null
    assert reasons_of(units) == [
        "no column 'lang' in plain text, nor a folder lang=… in its path",
        "no column 'lang'; there are: text",
    ]


def test_a_column_that_neither_path_nor_file_has_is_refused(tmp_path: Path):
    put(tmp_path / "lang=en" / "a.csv", b"text\na\n")
    with pytest.raises(UsageError, match=r"a.csv: no column 'year'; there are: text"):
        plan_of(tmp_path, columns=Columns("text", keep=("lang", "year")))


@pytest.mark.parametrize(
    "columns", [Columns("lang"), Columns("text", "lang"), Columns("text", "lang", ("lang",))], ids=str
)
def test_texts_and_ids_never_come_from_a_path(tmp_path: Path, columns: Columns):
    put(tmp_path / "lang=en" / "a.csv", b"text\na\n")
    with pytest.raises(UsageError, match=r"a.csv: no column 'lang'; there are: text"):
        plan_of(tmp_path, columns=columns)


def test_an_empty_text_file_fixes_no_type(tmp_path: Path):
    put(tmp_path / "lang=1" / "a.txt", b"")
    write_parquet(tmp_path / "b.parquet", text=["a"], lang=[1])
    assert langs(read(tmp_path, columns=KEEPING)) == [1]


# The output.


def test_an_output_with_partition_columns_is_proven_against_its_input(tmp_path: Path):
    for name, content in FORMATS.items():
        put(tmp_path / "corpus" / "lang=en" / name, content)
    write_parquet(tmp_path / "corpus" / "a.parquet", text=["a", None], lang=["own", "own"])
    job = FakeJob((tmp_path / "corpus",), output_in(tmp_path), columns=KEEPING)
    job.run()
    assert verify(job.output, with_input=True).violations == ()
    rows = ds.dataset(job.output.uri, format="parquet").to_table().to_pylist()
    assert sorted(row["lang"] for row in rows) == ["en"] * 10 + ["own"]
