"""Long documents on the command line: embedded as chunks, planned, proven, searched, and never mixed with others."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import SmallOutput, content_of, rows_of
from tests.tiny_model import WORDS

TEXTS = [" ".join(WORDS[(place * step) % len(WORDS)] for place in range(60)) for step in (1, 2, 4)] + ["the zip", ""]
CHUNK, OVERLAP = 16, 4
# Chunks of 14 words, which advance by 10.
CHUNKS_OF_SIXTY = 6
ROWS = 3 * CHUNKS_OF_SIXTY + 2


def embed(corpus: Path, output: Path, model: Path, *options: str | Path) -> SmallOutput:
    given = ("--model", str(model), "--pooling", "mean", "--workers", "1", "--chunk-tokens", str(CHUNK), *options)
    words = ("embed", str(corpus), "-o", str(output), *map(str, given))
    return SmallOutput(corpus, output, words, encorpus(*words))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("long") / "a.parquet"
    pq.write_table(pa.table({"text": TEXTS}), path)
    return path


@pytest.fixture(scope="module")
def chunked(corpus, tiny_model, ray_session, tmp_path_factory) -> SmallOutput:
    """A real job over five documents."""
    return embed(corpus, tmp_path_factory.mktemp("chunked") / "out", tiny_model, "--chunk-overlap", str(OVERLAP))


def test_each_chunk_is_a_row_that_says_where_it_lies(chunked):
    assert chunked.finished.status == 0
    rows = rows_of(chunked.output)
    assert list(rows[0]) == ["id", "chunk", "start", "end", "tokens", "truncated", "embedding"]
    assert [row["chunk"] for row in rows] == [*range(CHUNKS_OF_SIXTY)] * 3 + [0, 0]
    words = [TEXTS[int(row["id"][-1])][row["start"] : row["end"]].split() for row in rows]
    assert [len(some) + 2 for some in words] == [row["tokens"] for row in rows] == [*[CHUNK] * 5, 12] * 3 + [4, 2]
    assert words[0][-OVERLAP:] == words[1][:OVERLAP]


def test_the_summary_counts_rows_and_documents(chunked):
    held = f"{ROWS} rows of 5 documents"
    assert chunked.finished.out.startswith(f"embedded {held} in ")
    assert f"complete, {held} in 1 shard, " in chunked.finished.out
    assert held in encorpus("status", chunked.output).out


def test_every_chunk_is_proven(chunked):
    proven = encorpus("verify", chunked.output, "--input")
    assert (proven.status, f"1 shard, {ROWS} rows of 5 documents, 0 rejects" in proven.out) == (0, True)


def test_chunks_that_are_embedded_again_have_their_vectors(chunked):
    proven = encorpus("verify", chunked.output, "--deep", "--sample", "1000")
    assert (proven.status, f"{ROWS} rows embedded again" in proven.out) == (0, True)


def test_a_hit_is_shown_with_its_number_and_its_own_text(chunked):
    query = " ".join(TEXTS[2].split()[10:24])
    found = encorpus("search", chunked.output, query, "--top", "1")
    assert re.match(r"1\.000  000000:\d  chunk \d\n", found.out)
    assert " ".join(found.out.split("\n", 1)[1].split()) == query


def test_the_plan_tells_chunks_a_row(corpus, tiny_model):
    told = encorpus(
        "plan", corpus, "--model", tiny_model, "--chunk-tokens", str(CHUNK), "--chunk-overlap", str(OVERLAP)
    )
    assert told.status == 0
    assert "chunks a row, of 5 rows sampled: mean 4.0 with 56.4 tokens; tokens a chunk: half up to 16, " in told.out


def test_pooled_documents_are_a_row_each(corpus, tiny_model, ray_session, tmp_path):
    done = embed(corpus, tmp_path / "out", tiny_model, "--chunk-pool", "mean")
    rows = rows_of(done.output)
    assert list(rows[0]) == ["id", "tokens", "truncated", "embedding"]
    assert [(row["tokens"], row["truncated"]) for row in rows] == [(62, False)] * 3 + [(4, False), (2, False)]
    assert encorpus("verify", done.output, "--input", "--deep").status == 0
    assert encorpus("search", done.output, "the zip", "--top", "1").out.startswith("1.000  000000:3\n")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--chunk-tokens", "20"], "max-tokens was 16, now 20; chunk-tokens was 16, now 20"),
        (["--chunk-overlap", "5"], "chunk-overlap was 4, now 5"),
        (["--chunk-pool", "mean"], "chunk-pool was None, now mean"),
    ],
    ids=["tokens", "overlap", "pool"],
)
def test_a_rerun_with_other_chunks_is_refused_by_what_differs(chunked, options, told):
    before = content_of(chunked.output)
    again = chunked.again(*options)
    advice = "use the same options, or another folder"
    assert (again.status, again.told) == (2, f"encorpus embed: -o {chunked.output}: made otherwise: {told}; {advice}")
    assert content_of(chunked.output) == before


def test_a_rerun_of_the_same_command_has_nothing_to_do(chunked):
    assert chunked.again().told.endswith("nothing missing")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--chunk-overlap", "4"], "--chunk-overlap needs --chunk-tokens, the tokens of a chunk"),
        (["--chunk-pool", "mean"], "--chunk-pool needs --chunk-tokens, the tokens of a chunk"),
        (
            ["--chunk-tokens", "16", "--max-tokens", "32"],
            "--max-tokens and --chunk-tokens exclude each other: leave one",
        ),
        (["--chunk-tokens", "2"], "--chunk-tokens 2: at least 3 (two of them are [CLS] and [SEP])"),
        (["--chunk-tokens", "65"], "--chunk-tokens 65: the model takes at most 64 tokens; ask for at most that"),
        (["--chunk-tokens", "16", "--chunk-overlap", "14"], "--chunk-overlap 14: 0 to 13, since 14 tokens of a chunk"),
        (["--chunk-tokens", "16", "--chunk-overlap", "-1"], "argument --chunk-overlap: '-1' is not a whole number"),
        (["--chunk-tokens", "0"], "argument --chunk-tokens: '0' is not a whole number from 1"),
        (["--chunk-tokens", "16", "--chunk-pool", "max"], "argument --chunk-pool: invalid choice: 'max'"),
        (
            ["--chunk-tokens", "16", "--chunk-pool", "mean", "--pooling", "sequence"],
            "--chunk-pool and --pooling sequence exclude each other: leave one out",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("command", ["embed", "plan"])
def test_options_that_do_not_fit_are_one_line(command, options, told, corpus, tiny_model, tmp_path):
    output = ["-o", tmp_path / "out"] if command == "embed" else []
    refused = encorpus(command, corpus, *output, "--model", tiny_model, *options)
    assert refused.status == 2
    assert refused.last_line.removeprefix("encorpus").removeprefix(f" {command}").startswith(f": {told}")
    assert not (tmp_path / "out").exists()
