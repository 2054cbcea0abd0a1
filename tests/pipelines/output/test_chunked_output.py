"""An output whose rows are chunks: what its shards hold, what verify finds, and what search shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.corpus.plan import Columns
from pipelines.errors import EncorpusError
from pipelines.output import chunk_columns
from pipelines.output.check_sample import Sampling
from pipelines.output.layout import Output
from pipelines.output.manifest import load_manifest, write_manifest
from pipelines.output.planned import load_planned
from pipelines.output.search import search
from pipelines.output.status import status
from pipelines.output.verify import Verification, verify
from tests.pipelines.output.corruption import copy_of, rewrite, shard
from tests.pipelines.output.fake_job import (
    FINGERPRINT,
    FakeJob,
    fake_vector,
    mixed_corpus,
    output_in,
    write_json_lines,
    write_parquet,
)
from tests.pipelines.output.fake_tokens import fake_chunks

# Chunks of three words, of which one is repeated.
CHUNK_TOKENS = 5
FIRST = "part-000000-000000"
TEXTS = ["one two three four five", None, " short ", "", "a b c d e f g"]
CHUNKS = [
    ("000000:0", 0, "one two three"),
    ("000000:0", 1, "three four five"),
    ("000000:2", 0, "short"),
    ("000000:3", 0, ""),
    ("000000:4", 0, "a b c"),
    ("000000:4", 1, "c d e"),
    ("000000:4", 2, "e f g"),
]


def job_over(folder: Path, texts=TEXTS, **options) -> FakeJob:
    corpus = write_parquet(folder / "a.parquet", texts, key=[f"key {row}" for row in range(len(texts))])
    return FakeJob((corpus,), output_in(folder), **{"chunk_tokens": CHUNK_TOKENS, **options})


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> FakeJob:
    job = job_over(tmp_path_factory.mktemp("chunked"))
    job.run()
    return job


@pytest.fixture
def output(job, tmp_path) -> Output:
    return copy_of(job.output, tmp_path)


def lines(output: Output, with_input: bool = False) -> list[str]:
    return [str(violation) for violation in verify(output, with_input).violations]


def write_again(output: Output) -> None:
    """The manifest of the shards as they are now."""
    planned = load_planned(output)
    write_manifest(output, planned.plan, planned.digest, FINGERPRINT)


# What is written.


def test_a_row_is_a_chunk_with_its_place_in_the_document(job):
    table = pq.read_table(shard(job.output, FIRST))
    assert table.schema.names == ["id", "chunk", "start", "end", "tokens", "truncated", "embedding"]
    found = [(row["id"], row["chunk"], (TEXTS[int(row["id"][-1])] or "")[row["start"] : row["end"]])
             for row in table.to_pylist()]  # fmt: skip
    assert found == CHUNKS
    assert table["tokens"].to_pylist() == [5, 5, 3, 2, 5, 5, 5]
    assert not any(table["truncated"].to_pylist())


def test_rows_of_the_input_are_documents_and_rejects(job):
    manifest = load_manifest(job.output)
    assert manifest is not None
    assert (manifest.rows, manifest.documents, manifest.rejects) == (7, 4, 1)
    assert (status(job.output).rows, status(job.output).documents) == (7, 4)
    assert (verify(job.output).rows, verify(job.output).documents) == (7, 4)


def test_without_chunks_every_row_is_a_document(tmp_path):
    job = job_over(tmp_path, chunk_tokens=None)
    job.run()
    manifest = load_manifest(job.output)
    assert manifest is not None
    assert (manifest.rows, manifest.documents) == (4, 4)


def test_kept_columns_are_the_documents_but_the_text_is_the_chunks_own(tmp_path):
    job = job_over(tmp_path, columns=Columns("text", keep=("key", "text")))
    job.run()
    rows = pq.read_table(shard(job.output, FIRST)).to_pylist()
    assert [(row["key"], row["text"]) for row in rows] == [(f"key {name[-1]}", text) for name, _, text in CHUNKS]
    assert lines(job.output, with_input=True) == []


@pytest.mark.parametrize("size", [1, 20, 1 << 28])
def test_columns_that_repeat_more_than_an_arrow_array_holds_come_in_pieces(monkeypatch, size):
    texts = ["one two three four five", "", "größer", "a b c d e f g"]
    kept = pa.array([["x" * 9], None, [], ["y", "z"]])
    documents = pa.table({"id": list("wxyz"), "text": pa.chunked_array([texts[:1], texts[1:]]), "kept": kept})
    places = fake_chunks(texts, CHUNK_TOKENS, None).places
    monkeypatch.setattr(chunk_columns, "PIECE_SIZE", size)
    rows = chunk_columns.chunk_rows(documents, "text", places)
    assert rows["text"].to_pylist() == ["one two three", "three four five", "", "größer", "a b c", "c d e", "e f g"]
    assert rows["kept"].to_pylist() == [kept[document].as_py() for document in places.document]
    assert rows["id"].to_pylist() == list("wwxyzzz")
    assert (rows["text"].num_chunks > 1) == (size < 1 << 28)
    empty = chunk_columns.chunk_rows(documents.slice(0, 0), "text", fake_chunks([], CHUNK_TOKENS, None).places)
    assert (empty.num_rows, empty.schema) == (0, rows.schema)


def test_a_pooled_document_is_a_row_with_all_its_tokens(tmp_path):
    job = job_over(tmp_path, chunk_pool="mean")
    job.run()
    table = pq.read_table(shard(job.output, FIRST))
    assert table.schema.names == ["id", "tokens", "truncated", "embedding"]
    assert (table["tokens"].to_pylist(), table["truncated"].to_pylist()) == ([7, 3, 2, 9], [False] * 4)
    assert lines(job.output, with_input=True) == []


@pytest.mark.parametrize("texts", [[], [None, None]], ids=["no rows", "rejects only"])
def test_a_unit_without_documents_has_a_shard_of_the_same_schema(job, tmp_path, texts):
    empty = job_over(tmp_path, texts)
    empty.run()
    names = [path.stem for path in Path(empty.output.uri).glob("part-*")]
    assert all(pq.read_schema(shard(empty.output, name)) == pq.read_schema(shard(job.output, FIRST)) for name in names)
    assert lines(empty.output, with_input=True) == []


class OneBadChunk(FakeJob):
    """A vector is not finite where its text says so."""

    def vectors(self, texts):
        vectors = np.asarray(super().vectors(texts))
        vectors[["bad" in text for text in texts]] = np.nan
        return vectors


@pytest.mark.parametrize("pool", [None, "mean"])
def test_a_document_with_a_vector_that_is_not_finite_is_one_reject(tmp_path, pool):
    corpus = write_parquet(tmp_path / "a.parquet", ["a b c d e", "a b c d bad f g", "g h"])
    job = OneBadChunk((corpus,), output_in(tmp_path), chunk_tokens=CHUNK_TOKENS, chunk_pool=pool)
    job.run()
    assert pq.read_table(shard(job.output, FIRST))["id"].unique().to_pylist() == ["000000:0", "000000:2"]
    verified = verify(job.output, with_input=True)
    assert (verified.documents, verified.rejects, verified.violations) == (2, 1, ())


def test_a_unit_whose_documents_all_have_such_a_vector_is_the_models_fault(tmp_path):
    corpus = write_parquet(tmp_path / "a.parquet", ["a b c d bad", "bad"])
    job = OneBadChunk((corpus,), output_in(tmp_path), chunk_tokens=CHUNK_TOKENS)
    with pytest.raises(EncorpusError, match="all 2 vectors are NaN or infinite"):
        job.run()


def test_a_retry_makes_the_unit_of_a_rejected_document_again(tmp_path):
    corpus = write_parquet(tmp_path / "a.parquet", ["a b c d e", "a b c d bad f g", "g h"])
    job = OneBadChunk((corpus,), output_in(tmp_path), chunk_tokens=CHUNK_TOKENS)
    job.run()
    healed = FakeJob((corpus,), job.output, chunk_tokens=CHUNK_TOKENS)
    healed.retry()
    verified = verify(job.output, with_input=True)
    assert (verified.documents, verified.rejects, verified.violations) == (3, 0, ())


# What verify proves.


@pytest.mark.parametrize("changes", [{}, {"pooling": "sequence"}, {"chunk_pool": "mean"}], ids=str)
def test_chunks_of_every_kind_of_file_are_proven(tmp_path, changes):
    job = FakeJob(mixed_corpus(tmp_path / "corpus"), output_in(tmp_path), chunk_tokens=CHUNK_TOKENS, **changes)
    job.run()
    assert lines(job.output, with_input=True) == []


def test_ids_that_are_not_unique_are_proven(tmp_path):
    corpus = write_parquet(tmp_path / "a.parquet", ["a b c d e", "f", "g h i j"], key=["same"] * 3)
    job = FakeJob((corpus,), output_in(tmp_path), columns=Columns("text", "key"), chunk_tokens=CHUNK_TOKENS)
    job.run()
    assert lines(job.output, with_input=True) == []


def moved(table: pa.Table, *rows: int) -> pa.Table:
    return table.take(list(rows))


def changed(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    values = table[column].to_pylist()
    values[row] = value
    place = table.schema.get_field_index(column)
    return table.set_column(place, table.schema.field(column), pa.array(values, table.schema.field(column).type))


NUMBERED = "its chunks are not numbered 0, 1, … document by document"
ASCENDING = "the offsets of its chunks do not ascend"
ONE_ID = "chunks of one document have different ids"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: moved(table, 0, 2, 3, 4, 6), NUMBERED),
        (lambda table: moved(table, 1, 0, 2, 3, 4, 5, 6), NUMBERED),
        (lambda table: moved(table, 0, 1, 1, 2, 3, 4, 5, 6), NUMBERED),
        (lambda table: moved(table, 1, 2, 3, 4, 5, 6), NUMBERED),
        (lambda table: changed(table, "chunk", 1, -1), NUMBERED),
        (lambda table: moved(table, 0, 1, 2, 4, 5, 6), "3 documents and 1 rejects do not make up the 5 rows"),
        (lambda table: moved(table, 0, 1, 2, 3, 3, 4, 5, 6), "its ids do not ascend"),
        (lambda table: changed(table, "id", 1, "000000:1"), ONE_ID),
        (lambda table: changed(table, "id", 0, "000000:1"), ONE_ID),
        (lambda table: changed(table, "start", 5, 9), ASCENDING),
        (lambda table: changed(table, "end", 5, 1), ASCENDING),
        (lambda table: changed(table, "start", 0, -1), ASCENDING),
        (lambda table: changed(table, "end", 0, None), "some of its chunk numbers or offsets are null"),
        (lambda table: table.drop_columns(["start"]), "its columns are id string, chunk int32, end int32"),
    ],
    ids=["lost", "reordered", "doubled", "first lost", "negative", "lost document", "doubled document",
         "id of a later chunk", "id of a first chunk", "start", "end", "before the text", "null", "lost column"],
)  # fmt: skip
def test_chunks_that_are_not_as_they_were_written_are_found(output, change, told):
    rewrite(output, FIRST, change)
    found = lines(output)
    assert any(line.startswith(FIRST) and told in line for line in found), found


def test_a_footer_that_counts_other_documents_is_found(output):
    rewrite(output, FIRST, info=lambda info: replace(info, documents=5))
    assert any("holds rows of 4 documents, its footer says 5" in line for line in lines(output))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda table: changed(table, "end", 6, 14),
            "the document in row 4 has 13 characters, its last chunk ends at 14",
        ),
        (lambda table: moved(table, 0, 2, 3, 4, 5, 6), "characters 13 to 23 of the document in row 0 are in no chunk"),
        (lambda table: moved(table, 0, 1, 2, 3, 4, 5), "characters 9 to 13 of the document in row 4 are in no chunk"),
        (lambda table: changed(table, "start", 0, 4), "characters 0 to 4 of the document in row 0 are in no chunk"),
        (lambda table: moved(table, 0, 1, 3, 4, 5, 6), "holds chunks of 3 documents, where the input gives 4"),
        (
            lambda table: changed(table, "key", 4, "other"),
            "its key in row 4 is not the input's: 'other', where 'key 4'",
        ),
        (
            lambda table: changed(table, "text", 1, "other"),
            "its text in row 1 is not the input's: 'other', where 'three",
        ),
    ],
    ids=["beyond the end", "lost chunk", "lost last chunk", "late start", "lost document", "kept value", "kept text"],
)
def test_chunks_that_are_not_the_inputs_are_found(tmp_path, change, told):
    job = job_over(tmp_path, columns=Columns("text", keep=("key", "text")))
    job.run()
    rewrite(job.output, FIRST, change)
    write_again(job.output)
    found = lines(job.output, with_input=True)
    assert any(line.startswith(FIRST) and told in line for line in found), found


# Rows that are embedded again.


def deep(job: FakeJob, output: Output | None = None) -> Verification:
    return verify(output or job.output, deep=Sampling(job.encode, FINGERPRINT, rows=10_000, seed=1))


@pytest.mark.parametrize("changes", [{}, {"pooling": "sequence"}, {"chunk_pool": "mean"}, {"dtype": "int8"}], ids=str)
def test_every_chunk_of_a_healthy_output_has_the_vector_of_its_text(tmp_path, changes):
    job = FakeJob(mixed_corpus(tmp_path / "corpus"), output_in(tmp_path), chunk_tokens=CHUNK_TOKENS, **changes)
    job.run()
    found = deep(job)
    assert ([*map(str, found.violations)], found.sampled) == ([], found.rows)


def test_chunks_with_each_others_vectors_are_found(job, output):
    place = pq.read_schema(shard(output, FIRST)).get_field_index("embedding")
    swapped = pa.array([0, 1, 2, 3, 5, 4, 6])
    rewrite(output, FIRST, lambda table: table.set_column(place, "embedding", table["embedding"].take(swapped)))
    write_again(output)
    assert verify(output, with_input=True).violations == ()
    (violation,) = deep(job, output).violations
    assert "2 of 7 sampled rows have other vectors than their texts" in str(violation)


def test_chunks_share_their_documents_id_which_no_other_document_may_have(tmp_path):
    corpus = write_parquet(tmp_path / "a.parquet", ["a b c d e", "f g h i", "j"], key=["one", "two", "one"])
    job = FakeJob((corpus,), output_in(tmp_path), columns=Columns("text", "key"), chunk_tokens=CHUNK_TOKENS)
    job.run()
    (violation,) = deep(job).violations
    assert "1 of its ids are there before: row 2 has the id of row 0" in str(violation)


# What search shows.


@pytest.mark.parametrize("kept", [(), ("text",)], ids=["from the input", "kept"])
@pytest.mark.parametrize("kind", ["parquet", "jsonl.gz"])
def test_a_hit_is_a_chunk_with_its_number_and_its_own_text(tmp_path, kept, kind):
    write = write_parquet if kind == "parquet" else write_json_lines
    corpus = write(tmp_path / f"a.{kind}", TEXTS)
    job = FakeJob((corpus,), output_in(tmp_path), columns=Columns("text", keep=kept), chunk_tokens=CHUNK_TOKENS)
    job.run()
    hit = search(job.output, fake_vector("c d e"), FINGERPRINT, top=1)[0]
    assert (hit.chunk, hit.text) == (1, "c d e")


def test_a_hit_whose_input_is_gone_still_has_its_number(tmp_path):
    job = job_over(tmp_path)
    job.run()
    job.inputs[0].unlink()
    hit = search(job.output, fake_vector("c d e"), FINGERPRINT, top=1)[0]
    assert (hit.id, hit.chunk, hit.text) == ("000000:4", 1, None)
