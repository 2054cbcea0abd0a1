"""Bad rows and files become rejects with their reasons, and the good rows beside them are embedded."""

import gzip
import hashlib
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import MAX_TOKENS, embed, rejects_of, rows_of


def lines(*rows):
    """JSON Lines; strings and bytes are lines as they are."""
    encoded = (row if isinstance(row, str | bytes) else json.dumps(row) for row in rows)
    return b"".join((row.encode() if isinstance(row, str) else row) + b"\n" for row in encoded)


def parquet(texts, kind=None, column="text"):
    """A Parquet file's bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({column: pa.array(texts, kind) if isinstance(texts, list) else texts}), sink)
    return sink.getvalue().to_pybytes()


GOOD = {"text": "good"}
NOISE = [{"text": hashlib.sha256(bytes([row])).hexdigest()} for row in range(250)]
WRONG_STRINGS = pa.array([b"good", b"\xff"], pa.binary()).view(pa.string())
SOUND_PARQUET = parquet(["good"])

# The file's content, the rows that are embedded, and the reasons of its rejects; a reason may go on after these words.
FILES = {
    "null.jsonl": (lines(GOOD, {"text": None}), 1, ["text is null"]),
    "number.jsonl": (lines(GOOD, {"text": 5}), 1, ["text is a number, not a string"]),
    "list.jsonl": (lines(GOOD, {"text": ["good"]}), 1, ["text is an array, not a string"]),
    "missing-key.jsonl": (lines(GOOD, {"other": "x"}), 1, ["no key 'text'"]),
    "no-object.jsonl": (lines(GOOD, [1]), 1, ["JSON is an array, not an object"]),
    "broken.jsonl": (lines(GOOD, '{"text": "good"'), 1, ["invalid JSON: "]),
    "surrogate.jsonl": (lines(GOOD, '{"text": "\\ud800"}'), 1, ["invalid JSON: a lone surrogate"]),
    "invalid-utf8.jsonl": (lines(GOOD, b'{"text": "\xff"}'), 1, ["invalid UTF-8"]),
    "invalid-utf8.csv": (b"text\ngood\n\xff\n", 1, ["invalid UTF-8"]),
    "invalid-utf8.txt": (b"good\n\xff\nalso good\n", 2, ["invalid UTF-8"]),
    "invalid-utf8.parquet": (parquet(WRONG_STRINGS), 1, ["text is invalid UTF-8"]),
    "null.parquet": (parquet(["good", None], pa.string()), 1, ["text is null"]),
    "too-few-fields.csv": (b"text,other\ngood,1\nbad\n", 1, ["fewer fields than the header"]),
    "several.jsonl": (
        lines({"text": None}, GOOD, {"text": None}, "[]", GOOD),
        2,
        ["text is null"] * 2 + ["JSON is an"],
    ),
    "truncated.jsonl.gz": (gzip.compress(lines(*NOISE))[:-400], "some", ["truncated gzip stream"]),
    "no-gzip.jsonl.gz": (lines(GOOD), 0, ["its name says gzip, "]),
    "no-footer.parquet": (b"PAR1 but no footer", 0, ["not a readable Parquet file: "]),
    "broken-footer.parquet": (SOUND_PARQUET[:-12] + b"####" + SOUND_PARQUET[-8:], 0, ["not a readable Parquet file: "]),
    "empty.parquet": (b"", 0, ["not a readable Parquet file: "]),
    "number.parquet": (parquet([1, 2]), 0, ["column 'text' is int64, not string"]),
    "other-column.parquet": (parquet(["x"], column="other"), 0, ["no column 'text'; there are: other"]),
    "other-column.csv": (b"other\nx\n", 0, ["no column 'text'; there are: other"]),
    "empty.jsonl": (b"", 0, []),
    "empty.csv": (b"", 0, []),
    "empty.txt": (b"", 0, []),
    "empty.jsonl.gz": (b"", 0, []),
    "no-rows.csv": (b"text\n", 0, []),
    "no-rows.parquet": (parquet([], pa.string()), 0, []),
    "blank-lines.jsonl": (lines("", GOOD, "   ", "\t", GOOD, "\r"), 2, []),
    "blank-lines.csv": (b"text\n\ngood\n\n\ngood\n", 2, []),
    "blank-lines.txt": (b"good\n\n  \ngood\n", 4, []),
    "blank-text.jsonl": (lines({"text": ""}, {"text": " \n "}), 2, []),
    "megabyte.jsonl": (lines({"text": "read the file " * 70_000}), 1, []),
}


@pytest.fixture(scope="module")
def done(tiny_model, ray_session, tmp_path_factory):
    """One run over all of the files."""
    folder = tmp_path_factory.mktemp("bad-data")
    (folder / "corpus").mkdir()
    for name, (content, _, _) in FILES.items():
        (folder / "corpus" / name).write_bytes(content)
    return embed(folder / "corpus", folder / "out", tiny_model)


def embedded(done, name):
    """The rows of one file, whose number is in their ids."""
    number = sorted(FILES).index(name)
    return [row for row in rows_of(done.output) if row["id"].startswith(f"{number:06d}:")]


def rejected(done, name):
    """The rejects of one file."""
    return [row for row in rejects_of(done.output) if row["file"] == str(done.corpus / name)]


@pytest.mark.parametrize("name", FILES)
def test_the_good_rows_are_embedded(name, done):
    due, found = FILES[name][1], len(embedded(done, name))
    assert found > 0 if due == "some" else found == due


@pytest.mark.parametrize("name", FILES)
def test_the_bad_ones_are_kept_with_their_reasons(name, done):
    due, found = FILES[name][2], [row["reason"] for row in rejected(done, name)]
    assert len(found) == len(due)
    assert all(reason.startswith(start) for reason, start in zip(found, due, strict=True)), found


@pytest.mark.parametrize(
    ("name", "row"),
    [("null.parquet", 1), ("null.jsonl", 17), ("invalid-utf8.csv", 1), ("invalid-utf8.txt", 5)],
)
def test_a_reject_names_its_row(name, row, done):
    assert [reject["row"] for reject in rejected(done, name)] == [row]


@pytest.mark.parametrize("name", ["truncated.jsonl.gz", "no-footer.parquet", "other-column.csv"])
def test_a_reject_of_a_file_names_no_row(name, done):
    assert [reject["row"] for reject in rejected(done, name)] == [None]


def test_a_long_document_is_cut_and_embedded(done):
    (row,) = embedded(done, "megabyte.jsonl")
    assert (row["tokens"], row["truncated"]) == (MAX_TOKENS, True)


def test_status_3(done):
    assert done.finished.status == 3


def test_embed_prints_the_most_frequent_reasons_first(done):
    printed = [line for line in done.finished.out.splitlines() if " × " in line]
    counts = Counter(reject["reason"] for reject in rejects_of(done.output))
    assert printed[0] == f"  {counts['text is null']} × text is null"
    assert [int(line.split()[0]) for line in printed] == sorted(counts.values(), reverse=True)[:5]


def test_embed_says_how_many_reasons_it_leaves_out(done):
    reasons = {reject["reason"] for reject in rejects_of(done.output)}
    assert f"  and {len(reasons) - 5} more reasons" in done.finished.out.splitlines()


def test_status_prints_all_reasons(done):
    printed = [line.strip() for line in encorpus("status", done.output).out.splitlines() if " × " in line]
    counts = Counter(reject["reason"] for reject in rejects_of(done.output))
    assert sorted(printed) == sorted(f"{number} × {reason}" for reason, number in counts.items())


def test_every_row_is_accounted_for(done):
    assert encorpus("verify", done.output, "--input").status == 0


def test_on_bad_row_fail_stops_and_names_file_and_row(tiny_model, ray_session, tmp_path):
    path = tmp_path / "null.jsonl"
    path.write_bytes(FILES["null.jsonl"][0])
    done = embed(path, tmp_path / "out", tiny_model, "--on-bad-row", "fail")
    assert done.finished.status == 1
    told = f"encorpus embed: {path}, row 17: text is null; mend it, or leave out --on-bad-row fail"
    assert done.finished.last_line == told
    assert list(done.output.glob("*.parquet")) == []
