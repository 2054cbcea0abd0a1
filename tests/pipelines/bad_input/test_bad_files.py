"""Files that no reader can begin with stop the plan, in one line that names them; odd ones that are good are read."""

import codecs
import gzip
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipelines.corpus import csv_rows, lines
from pipelines.corpus.csv_rows import RECORD_TOO_LONG
from pipelines.corpus.lines import LINE_TOO_LONG
from pipelines.corpus.plan import Columns
from pipelines.errors import StorageError, UsageError
from pipelines.output.verify import verify
from tests.pipelines.bad_input.bad_file import Bad, embed_beside_a_neighbour, rejects_of, vectors_due, vectors_of
from tests.pipelines.output.fake_job import TEXT, FakeJob, output_in, write_json_lines, write_parquet

NOBODY = 65534


def finished(folder: Path, *inputs: Path, columns: Columns = TEXT) -> FakeJob:
    job = FakeJob(inputs, output_in(folder), columns=columns)
    job.run()
    return job


def refusal(folder: Path, *inputs: Path) -> str:
    """The one line that says why there is no plan."""
    with pytest.raises((UsageError, StorageError)) as caught:
        finished(folder, *inputs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with one good file."""
    write_json_lines(tmp_path / "corpus" / "good.jsonl", ["good"])
    return tmp_path / "corpus"


# What stops the plan.


@pytest.mark.parametrize("name", ["a.xml", "a", "a.parquet.gz", "a.jsonl.lz4", "a.jsonl.zip"])
def test_a_file_of_an_unknown_format(corpus: Path, tmp_path: Path, name: str):
    (corpus / name).touch()
    assert refusal(tmp_path, corpus).startswith(f"{corpus / name}: unknown format; known are .parquet ")


def test_a_dangling_link(corpus: Path, tmp_path: Path):
    (corpus / "a.jsonl").symlink_to(tmp_path / "nowhere")
    assert refusal(tmp_path, corpus) == f"{corpus}: cannot list: No such file or directory ({corpus / 'a.jsonl'})"


def test_a_pipe(corpus: Path, tmp_path: Path):
    os.mkfifo(corpus / "a.jsonl")
    told = f"{corpus / 'a.jsonl'}: a pipe, socket or device, no file; save what it gives as a file, or leave it out"
    assert refusal(tmp_path, corpus) == told


def test_a_file_that_may_not_be_read():
    user = os.geteuid()
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        closed = write_json_lines(folder / "corpus" / "a.jsonl", ["secret"])
        closed.chmod(0)
        try:
            if user == 0:
                os.seteuid(NOBODY)
            assert refusal(folder, closed.parent) == f"{closed}: cannot read: Permission denied ({closed})"
        finally:
            os.seteuid(user)


def test_a_name_that_is_not_utf8(corpus: Path, tmp_path: Path):
    Path(os.fsdecode(os.fsencode(corpus) + b"/\xff.jsonl")).touch()
    assert "the file's name is not UTF-8; rename it" in refusal(tmp_path, corpus)


def test_an_input_that_is_not_there(tmp_path: Path):
    assert "no files there; give a file, a folder or a quoted glob" in refusal(tmp_path, tmp_path / "nowhere")


# What is too long for memory.


@pytest.mark.parametrize(
    ("name", "reason", "good"),
    [
        ("a.jsonl", LINE_TOO_LONG, ("good", "good too")),
        ("a.jsonl.gz", LINE_TOO_LONG, ("good", "good too")),
        ("a.txt", LINE_TOO_LONG, ("good", "good too")),
        ("a.csv", RECORD_TOO_LONG, ("good",)),
    ],
)
def test_a_line_that_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str, good: tuple[str, ...]
):
    for module in (lines, csv_rows):
        monkeypatch.setattr(module, "MAX_LINE_BYTES", 1 << 20)
    rows = ["good", "x" * (4 << 20), "good too"]
    content = {
        "jsonl": "".join(f'{{"text": "{text}"}}\n' for text in rows),
        "txt": "".join(f"{text}\n" for text in rows),
        "csv": "".join(f"{text}\n" for text in ["text", *rows]),
    }[name.split(".")[1]].encode()
    bad = Bad("too long", name, gzip.compress(content) if name.endswith(".gz") else content, reason, good)
    job = embed_beside_a_neighbour(bad, tmp_path)
    assert [reject["reason"] for reject in rejects_of(job)] == [reason]
    assert vectors_of(job, 0) == vectors_due(good)


# What does not fit the files before.


def test_a_column_of_another_type_than_in_the_files_before(tmp_path: Path):
    files = [
        write_parquet(tmp_path / "a.parquet", ["good"], kept=[1]),
        write_parquet(tmp_path / "b.parquet", ["bad"], kept=["one"]),
        write_parquet(tmp_path / "c.parquet", ["good too"], kept=[2]),
    ]
    job = finished(tmp_path, *files, columns=Columns("text", None, ("kept",)))
    told = "column 'kept' is string, but int64 in the files before"
    assert [(reject["file"], reject["reason"]) for reject in rejects_of(job)] == [(str(files[1]), told)]
    assert (vectors_of(job, 0), vectors_of(job, 2)) == (vectors_due(["good"]), vectors_due(["good too"]))


# What is odd, and good.


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.jsonl", b'{"text": "one", "text": "two"}\n', ["two"]),
        ("a.jsonl", codecs.BOM_UTF8 + b'{"text": "a"}\r\n\n  \n{"text": "b"}', ["a", "b"]),
        ("a.jsonl", b'{"text": "\\u0000", "other": [[[[]]]]}\n{"text": ""}\n', ["\0", ""]),
        ("a.txt", codecs.BOM_UTF8 + b"a\0b\r\n\nlast", ["a\0b", "", "last"]),
        ("a.csv", codecs.BOM_UTF8 + b'text\r\n"a\r\nb ""c"""\r\n\r\nd\0\r\n', ['a\r\nb "c"', "d\0"]),
        ("a.csv", b"text\n", []),
        ("a.csv", b"", []),
        ("a.jsonl", b"\n\n", []),
        ("a.jsonl.gz", b"", []),
        ("a.jsonl.gz", gzip.compress(b'{"text": "a"}\n') + bytes(100), ["a"]),
    ],
)
def test_odd_content_is_embedded(tmp_path: Path, name: str, content: bytes, texts: list[str]):
    job = embed_beside_a_neighbour(Bad("none", name, content, "", tuple(texts)), tmp_path)
    assert rejects_of(job) == []
    assert vectors_of(job, 0) == vectors_due(texts)
    assert verify(job.output, with_input=True).violations == ()


def test_an_id_that_is_there_twice_is_embedded_twice(tmp_path: Path):
    corpus = write_parquet(tmp_path / "a.parquet", ["good", "good too"], key=["same", "same"])
    job = finished(tmp_path, corpus, columns=Columns("text", "key"))
    assert vectors_of(job, 0) == vectors_due(["good", "good too"])


def test_a_folder_named_as_a_file_is_read_as_a_folder(tmp_path: Path):
    write_parquet(tmp_path / "corpus" / "table.parquet" / "part-0.parquet", ["good"])
    assert vectors_of(finished(tmp_path, tmp_path / "corpus"), 0) == vectors_due(["good"])
