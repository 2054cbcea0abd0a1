"""Every recipe of docs/readers.md finds what `search` finds, and takes nothing for a row that is none."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import datasets
import duckdb
import lancedb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from datasets import config

from pipelines.output.search import search
from tests.pipelines.output.fake_job import DIMENSION, FINGERPRINT, FakeJob, fake_vector, mixed_corpus, output_in
from tests.readers.recipes import recipes, run
from tests.s3_server import new_bucket

QUERY = fake_vector("a query")
NEAREST = ("duckdb", "pyarrow", "polars", "datasets", "faiss", "lancedb")
NEAREST_OF_TOKENS = ("duckdb-sequence", "lancedb")
DTYPES = {"float32": 1e-5, "float16": 2e-3}

# How each reader takes the rows of a list of files, or of a pattern.
READERS = {
    "duckdb": lambda files: duckdb.read_parquet(files).to_arrow_table(),
    "pyarrow": lambda files: ds.dataset(files, format="parquet").to_table(),
    "polars": lambda files: pl.scan_parquet(files).collect().to_arrow(),
    "datasets": lambda files: datasets.load_dataset("parquet", data_files=files, split="train").with_format("arrow")[:],
}


@dataclass(frozen=True)
class Job(FakeJob):
    """Vectors of many lengths: cosines are not mere products."""

    def vectors(self, texts):
        vectors = super().vectors(texts)
        longer = [
            vector * np.asarray(1 + len(text) % 3, self.dtype) for vector, text in zip(vectors, texts, strict=True)
        ]
        return longer if self.pooling == "sequence" else np.array(longer, self.dtype).reshape(-1, DIMENSION)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """What the readers write stays in the test's folder, and DuckDB knows no store of another test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    yield
    for name in duckdb.list_filesystems():
        duckdb.unregister_filesystem(name)


@pytest.fixture(scope="module", params=DTYPES)
def job(request, tmp_path_factory):
    """An output with shards without rows, rejects, and nearer vectors where no reader should look."""
    return made(tmp_path_factory.mktemp("vectors"), dtype=request.param)


@pytest.fixture(scope="module", params=DTYPES)
def of_tokens(request, tmp_path_factory):
    """The same with a vector a token."""
    return made(tmp_path_factory.mktemp("tokens"), dtype=request.param, pooling="sequence")


@pytest.fixture(scope="module")
def of_bits(tmp_path_factory):
    """The same with a bit a number."""
    folder = tmp_path_factory.mktemp("bits")
    job = FakeJob(mixed_corpus(folder / "corpus"), output_in(folder), dtype="binary")
    job.run()
    return job


def made(folder, **options):
    job = Job(mixed_corpus(folder / "corpus"), output_in(folder), **options)
    job.run()
    for name in ("_encorpus/trap.parquet", ".part-000000-000000.parquet.half"):
        plant(job, name)
    return job


def plant(job, name):
    """A file like a shard, with one row that no true one is nearer than."""
    shard = pq.read_table(Path(job.output.uri, "part-000000-000000.parquet")).slice(0, 1)
    vector = [QUERY.astype(job.dtype)] * (2 if job.pooling == "sequence" else 1)
    embedding = pa.array([vector if job.pooling == "sequence" else vector[0]], shard.schema.field("embedding").type)
    row = shard.set_column(0, "id", pa.array(["trap"])).set_column(3, shard.schema.field("embedding"), embedding)
    pq.write_table(row, Path(job.output.uri, name))


def expected(job):
    """The five nearest rows, from the shards of the same job with a vector a text."""
    return [(hit.id, hit.score) for hit in search(job.output, QUERY, FINGERPRINT, top=5)]


def rows_of(job):
    return json.loads(Path(job.output.manifest_uri).read_text())["rows"]


def assert_hits(hits, due, dtype):
    assert [row_id for row_id, _ in hits] == [row_id for row_id, _ in due]
    assert [score for _, score in hits] == pytest.approx([score for _, score in due], abs=DTYPES[dtype])


def test_every_recipe_of_the_page_is_tested():
    assert recipes().keys() == {*NEAREST, *NEAREST_OF_TOKENS, "faiss-binary", "query", "manifest", "object-store"}


@pytest.mark.parametrize("recipe", NEAREST)
def test_a_recipe_finds_the_nearest_rows(recipe, job):
    assert_hits(run(recipe, OUTPUT=job.output.uri, query=QUERY)["hits"], expected(job), job.dtype)


def test_the_recipe_for_bits_finds_the_nearest_rows(of_bits):
    hits = run("faiss-binary", OUTPUT=of_bits.output.uri, query=QUERY)["hits"]
    scores = {hit.id: hit.score for hit in search(of_bits.output, QUERY, FINGERPRINT, top=rows_of(of_bits))}
    assert [score for _, score in hits] == pytest.approx(sorted(scores.values(), reverse=True)[:5])
    assert [score for _, score in hits] == pytest.approx([scores[row_id] for row_id, _ in hits])


@pytest.mark.parametrize("recipe", ["pyarrow", "faiss", "duckdb", "polars"])
def test_a_recipe_for_numbers_finds_nothing_among_bits(recipe, of_bits):
    with pytest.raises((ValueError, AssertionError, duckdb.Error, pl.exceptions.PolarsError)):
        run(recipe, OUTPUT=of_bits.output.uri, query=QUERY)


@pytest.mark.parametrize("recipe", NEAREST_OF_TOKENS)
def test_a_recipe_finds_the_rows_of_the_nearest_tokens(recipe, of_tokens, tmp_path):
    of_texts = replace(of_tokens, output=output_in(tmp_path), pooling="mean")
    of_texts.run()  # a fake text's tokens all have its own vector
    hits = run(recipe, OUTPUT=of_tokens.output.uri, query=QUERY)["hits"]
    assert_hits(hits, expected(of_texts), of_tokens.dtype)


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_sees_the_rows_of_the_shards_alone(reader, job):
    table = READERS[reader](f"{job.output.uri}/part-*.parquet" if reader != "pyarrow" else job.output.uri)
    assert table.num_rows == rows_of(job)
    assert "trap" not in table["id"].to_pylist()


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_has_a_list_of_vectors_where_a_row_has_one_a_token(reader, of_tokens):
    table = READERS[reader](f"{of_tokens.output.uri}/part-*.parquet" if reader != "pyarrow" else of_tokens.output.uri)
    shards = ds.dataset(of_tokens.output.uri, format="parquet").to_table().to_pylist()
    due = {row["id"]: np.array(row["embedding"]) for row in shards}
    found = {row["id"]: np.array(row["embedding"]) for row in table.to_pylist()}
    assert found.keys() == due.keys()
    assert all(np.array_equal(found[row_id], due[row_id]) for row_id in due)


@pytest.mark.parametrize("reader", READERS)
def test_by_the_manifest_a_stray_shard_is_not_seen(reader, tmp_path):
    job = made(tmp_path)
    plant(job, "part-000099-000000.parquet")
    files = run("manifest", OUTPUT=job.output.uri)["files"]
    table = READERS[reader](files)
    assert table.num_rows == rows_of(job)
    assert "trap" not in table["id"].to_pylist()


def test_an_object_stores_shards_are_read_as_a_dataset(job, s3, tmp_path):
    uri = uploaded(Path(job.output.uri), s3)
    opened = run("object-store", OUTPUT=uri, options=s3.options)
    shards, frame = opened["shards"], opened["frame"]
    due = sorted(ds.dataset(job.output.uri, format="parquet").to_table()["id"].to_pylist())
    assert sorted(shards.to_table()["id"].to_pylist()) == due
    assert sorted(frame.collect()["id"].to_list()) == due
    assert_hits(run("duckdb", OUTPUT=uri, query=QUERY)["hits"], expected(job), job.dtype)
    assert lancedb.connect("lance").create_table("vectors", shards).count_rows() == len(due)


def uploaded(folder, s3):
    """The folder's files in a new bucket."""
    uri = f"{new_bucket(s3)}/out"
    for path in folder.rglob("*"):
        if path.is_file():
            s3.write_atomic(f"{uri}/{path.relative_to(folder)}", path.read_bytes())
    return uri
