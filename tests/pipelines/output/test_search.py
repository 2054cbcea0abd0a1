"""Search: the exact nearest rows, with their texts, from the shards of an output."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from pipelines.corpus.plan import Columns
from pipelines.errors import StorageError, UsageError
from pipelines.output.search import search, top_rows
from tests.pipelines.output.fake_job import (
    FINGERPRINT,
    FakeJob,
    fake_vector,
    mixed_corpus,
    output_in,
    texts_of,
    write_parquet,
)


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> FakeJob:
    folder = tmp_path_factory.mktemp("search")
    job = FakeJob(mixed_corpus(folder / "corpus"), output_in(folder))
    job.run()
    return job


@pytest.mark.parametrize(
    ("text", "row_id"),
    [("later rows 3 and more", "000000:28"), ("bytes 0", "000001:0"), ("stream 2", None), ("a cell, 7", "000003:7")],
    ids=["parquet", "json lines", "gzip", "csv"],
)
def test_a_texts_own_vector_finds_it_in_every_kind_of_file(job, text, row_id):
    hit = search(job.output, fake_vector(text), FINGERPRINT, top=1)[0]
    assert hit.text == text
    assert hit.score == pytest.approx(1, abs=1e-6)
    assert row_id is None or hit.id == row_id


def test_hits_are_those_of_all_shards_together_best_first(job):
    query = fake_vector("a query")
    texts = [text for name, rows in (("rows", 24), ("later rows", 10)) for text in texts_of(name, rows)]
    everything = search(job.output, query, FINGERPRINT, top=10_000)
    expected = sorted((float(fake_vector(text) @ query) for text in texts), reverse=True)
    found = [hit.score for hit in everything if hit.shard.startswith("part-000000")]
    assert found == pytest.approx(expected, abs=1e-6)
    assert search(job.output, query, FINGERPRINT, top=7) == everything[:7]


def test_the_length_of_the_query_does_not_matter(job):
    query = fake_vector("a query")
    long, short = (search(job.output, query * factor, FINGERPRINT, top=3) for factor in (1000, 1))
    assert [hit.id for hit in long] == [hit.id for hit in short]


def test_of_equal_rows_the_first_in_the_corpus_comes_first(tmp_path: Path):
    corpus = write_parquet(tmp_path / "a.parquet", ["same"] * 25)
    job = FakeJob((corpus,), output_in(tmp_path))
    job.run()
    hits = search(job.output, fake_vector("same"), FINGERPRINT, top=3)
    assert [hit.id for hit in hits] == ["000000:0", "000000:1", "000000:2"]


@pytest.mark.parametrize(("dtype", "closeness"), [("float16", 1e-3), ("int8", 1e-3), ("binary", 0)])
def test_a_text_finds_itself_whatever_its_vector_is_stored_in(tmp_path: Path, dtype: str, closeness: float):
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 25))
    job = FakeJob((corpus,), output_in(tmp_path), dtype=dtype, dimension=30)
    job.run()
    hit = search(job.output, fake_vector("a 4", 30), FINGERPRINT, top=1)[0]
    assert (hit.id, hit.text) == ("000000:4", "a 4")
    assert hit.score == pytest.approx(1, abs=closeness)


def test_hits_of_int8_and_binary_outputs_are_those_of_all_rows_compared_one_by_one(tmp_path: Path):
    texts, query = texts_of("a", 90), fake_vector("a query", 30)
    vectors = np.array([fake_vector(text, 30) for text in texts])
    steps = np.rint(np.vstack([part / np.abs(part).max() * 127 for part in np.split(vectors, 9)]))
    due = {
        "int8": steps @ query / np.linalg.norm(steps, axis=1),
        "binary": 1 - 2 * np.count_nonzero((vectors > 0) != (query > 0), axis=1) / 30,
    }
    for dtype, expected in due.items():
        job = FakeJob((write_parquet(tmp_path / f"{dtype}.parquet", texts),), output_in(tmp_path / dtype), dtype=dtype)
        job = replace(job, dimension=30)
        job.run()
        hits = search(job.output, query, FINGERPRINT, top=90)
        places = [int(str(hit.id).partition(":")[2]) for hit in hits]
        assert places == np.argsort(-np.round(expected, 5), kind="stable").tolist()
        assert [hit.score for hit in hits] == pytest.approx(expected[places], abs=1e-5)


def test_a_kept_text_is_found_without_the_input(tmp_path: Path):
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 25), key=list(range(25)))
    job = FakeJob((corpus,), output_in(tmp_path), columns=Columns("text", "key", ("text",)))
    job.run()
    corpus.unlink()
    hit = search(job.output, fake_vector("a 4"), FINGERPRINT, top=1)[0]
    assert (hit.id, hit.text) == (4, "a 4")


def test_without_input_and_kept_text_the_ids_are_still_found(tmp_path: Path):
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 25))
    job = FakeJob((corpus,), output_in(tmp_path))
    job.run()
    corpus.unlink()
    hit = search(job.output, fake_vector("a 4"), FINGERPRINT, top=1)[0]
    assert (hit.id, hit.text) == ("000000:4", None)


def test_a_query_of_another_encoder_is_refused(job):
    with pytest.raises(UsageError, match=r"its encoder has fingerprint .+, the one named has 0000"):
        search(job.output, fake_vector("x"), "0" * 64, top=1)


def test_a_vector_a_token_is_refused(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 5)),), output_in(tmp_path), pooling="sequence")
    job.run()
    with pytest.raises(UsageError, match="pooling sequence"):
        search(job.output, fake_vector("x"), FINGERPRINT, top=1)


def test_shards_left_from_another_job_are_not_searched(tmp_path: Path):
    one, two = (write_parquet(tmp_path / f"{name}.parquet", texts_of(name, 25)) for name in ("a", "b"))
    job, other = FakeJob((one,), output_in(tmp_path)), FakeJob((one, two), output_in(tmp_path / "other"))
    job.run()
    other.run()
    shard = "part-000001-000000.parquet"
    (tmp_path / "out" / shard).write_bytes((tmp_path / "other" / "out" / shard).read_bytes())
    assert search(job.output, fake_vector("b 4"), FINGERPRINT, top=1)[0].shard.startswith("part-000000")


def test_a_damaged_shard_is_one_clear_line(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 5)),), output_in(tmp_path))
    job.run()
    (Path(job.output.uri) / "part-000000-000000.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=r"part-000000-000000\.parquet: not a whole shard"):
        search(job.output, fake_vector("x"), FINGERPRINT, top=1)


@given(numbers.arrays(np.float32, st.integers(0, 60), elements=st.integers(-4, 4)), st.integers(1, 70))
def test_the_top_rows_are_the_first_of_a_stable_sort(scores: np.ndarray, top: int):
    expected = sorted(range(len(scores)), key=lambda row: (-scores[row], row))[:top]
    assert top_rows(scores, top).tolist() == expected
