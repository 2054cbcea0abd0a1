"""A whole job on Ray: every row of a corpus comes out once, and a rerun does only what is missing."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
import s3fs

from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.errors import EncorpusError
from pipelines.job.embed import Job, embed
from pipelines.local_files import _host
from pipelines.output.layout import Output
from pipelines.output.vectors import vectors_of
from pipelines.output.verify import verify
from tests.pipelines.job.faults import ReadOnlyShard
from tests.pipelines.job.jobs import (
    COLUMNS,
    SHARD_ROWS,
    assert_embedded,
    job_of,
    output_of,
    rows_written,
    shards_of,
    spec_of,
    texts_of,
    write_mixed_corpus,
    write_parquet,
)
from tests.s3_server import new_bucket

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.fixture(scope="module")
def encoder(tiny_model):
    return TextEncoder.load(spec_of(tiny_model), threads=1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "mixed"
    return folder, write_mixed_corpus(folder)


@pytest.fixture(scope="module")
def finished(corpus, tiny_model, tmp_path_factory):
    """A job that ran to its end: its output and summary."""
    output = tmp_path_factory.mktemp("finished") / "out"
    return output, embed(job_of(corpus[0], output, tiny_model))


def test_every_row_of_every_format_gets_its_vector(finished, corpus, encoder):
    assert_embedded(finished[0], corpus[1], encoder)


def test_what_a_worker_left_that_was_killed_while_it_wrote_is_gone_at_the_end(corpus, tiny_model, tmp_path):
    left = tmp_path / "out" / f".part-000000-000000.parquet.{_host()}.{dead_process()}.ab12.tmp"
    embed(job_of(corpus[0], tmp_path / "out", tiny_model), on_progress=lambda snapshot: left.touch())
    assert not left.exists()


def dead_process() -> int:
    """The id of a process that is no more."""
    with subprocess.Popen(["true"]) as process:
        return process.pid


def test_the_output_is_proven_against_its_input(finished):
    assert verify(output_of(finished[0]), with_input=True).violations == ()


def test_the_summary_counts_rows_units_and_texts_encoded_once(finished, corpus):
    _, summary = finished
    manifest = summary.manifest
    assert manifest is not None
    assert (manifest.rows, manifest.units, manifest.rejects) == (len(corpus[1]), len(shards_of(finished[0])), 0)
    assert summary.progress.rows == summary.stats.texts == len(corpus[1])
    assert summary.stats.distinct < summary.stats.texts
    assert 0 < summary.seconds_to_first_shard < summary.seconds


def test_a_rerun_of_a_finished_job_writes_nothing(finished, corpus, tiny_model):
    before = shards_of(finished[0])
    summary = embed(job_of(corpus[0], finished[0], tiny_model))
    assert (summary.progress.rows, summary.manifest) == (0, finished[1].manifest)
    assert shards_of(finished[0]) == before


def test_a_rerun_makes_only_the_missing_shards(finished, corpus, tiny_model, encoder):
    output, _ = finished
    before = shards_of(output)
    gone = [name for name in before if name.endswith(("0-000001.parquet", "2-000000.parquet", "3-000002.parquet"))]
    for name in gone:
        (output / name).unlink()
    embed(job_of(corpus[0], output, tiny_model))
    after = shards_of(output)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == set(gone)
    assert_embedded(output, corpus[1], encoder)


@pytest.mark.parametrize("workers", [(1, 1), (1, 3)])
def test_names_ids_and_vectors_do_not_depend_on_the_workers(finished, corpus, tiny_model, tmp_path, workers):
    embed(job_of(corpus[0], tmp_path / "out", tiny_model, workers=workers))
    assert shards_of(tmp_path / "out").keys() == shards_of(finished[0]).keys()
    first, second = rows_written(finished[0]), rows_written(tmp_path / "out")
    assert list(first) == list(second)
    np.testing.assert_allclose(list(first.values()), list(second.values()), rtol=0, atol=1e-5)


def test_new_files_are_added_and_old_shards_are_left_alone(tiny_model, tmp_path, encoder):
    old, new = texts_of("old", 30), texts_of("new", 30)
    folder, output = tmp_path / "corpus", tmp_path / "out"
    write_parquet(folder / "b.parquet", old)
    embed(job_of(folder, output, tiny_model))
    before = shards_of(output)
    write_parquet(folder / "a.parquet", new)
    summary = embed(job_of(folder, output, tiny_model))
    assert summary.progress.rows == len(new)
    assert {name: shard for name, shard in shards_of(output).items() if name in before} == before
    assert_embedded(output, old | new, encoder)
    assert verify(output_of(output), with_input=True).violations == ()


def test_a_unit_that_cannot_be_written_fails_alone_and_the_rerun_mends_it(corpus, tiny_model, tmp_path, encoder):
    job = job_of(corpus[0], tmp_path / "out", tiny_model)
    failed = embed(replace(job, storage=ReadOnlyShard(ending="part-000001-000001.parquet")))
    assert failed.manifest is None
    assert [(record.unit, "no space left" in record.message) for record in failed.failures] == [
        ("part-000001-000001", True)
    ]
    summary = embed(job)
    assert summary.manifest is not None
    assert_embedded(tmp_path / "out", corpus[1], encoder)


def test_a_bad_row_ends_the_job_where_that_is_asked_for(tiny_model, tmp_path):
    path = write_parquet(tmp_path / "a.parquet", {"good": "the zip", "bad": None})
    with pytest.raises(EncorpusError, match=rf"{path}, row 1: text is null; mend it"):
        embed(job_of(path, tmp_path / "out", tiny_model, on_bad_row="fail"))


def test_the_sequence_of_each_text_has_a_vector_a_token(tiny_model, tmp_path):
    texts = texts_of("a", 30)
    write_parquet(tmp_path / "a.parquet", texts)
    spec = spec_of(tiny_model, pooling="sequence")
    embed(job_of(tmp_path / "a.parquet", tmp_path / "out", tiny_model, encoder=spec))
    table = ds.dataset(tmp_path / "out").to_table()
    found = dict(zip(table["id"].to_pylist(), table["embedding"].to_pylist(), strict=True))
    assert sorted(found) == sorted(texts)
    for name, due in zip(texts, TextEncoder.load(spec).encode(list(texts.values())), strict=True):
        np.testing.assert_allclose(found[name], due, rtol=0, atol=1e-4)


def test_a_corpus_of_bad_rows_alone_is_all_rejects(tiny_model, tmp_path):
    write_parquet(tmp_path / "a.parquet", {"bad": None, "worse": None})
    summary = embed(job_of(tmp_path / "a.parquet", tmp_path / "out", tiny_model))
    assert (summary.progress.rows, dict(summary.reasons)) == (0, {"text is null": 2})
    assert rows_written(tmp_path / "out") == {}


def test_paths_may_hold_any_character(tiny_model, tmp_path, encoder):
    folder = Path(tmp_path) / "Ä b#c%20?[1]"
    texts = texts_of("a", 30)
    write_parquet(folder / "x y.parquet", texts)
    output = Path(f"{folder} out")
    embed(job_of(folder, output, tiny_model))
    assert_embedded(output, texts, encoder)


def test_input_output_and_model_may_lie_in_an_object_store(s3, corpus, tiny_model, encoder):
    bucket = new_bucket(s3)
    store = s3fs.S3FileSystem(**s3.options)
    store.put(f"{corpus[0]}/", f"{bucket}/corpus/", recursive=True)
    store.put(f"{tiny_model}/", f"{bucket}/model/", recursive=True)
    spec = EncoderSpec(f"{bucket}/model", pooling="mean", max_tokens=32)
    job = Job((f"{bucket}/corpus/*",), f"{bucket}/out/", spec, COLUMNS, SHARD_ROWS, (2, 2), storage=s3)
    embed(job)
    store.rm_file(f"{bucket}/out/part-000002-000001.parquet")
    again = embed(job)
    assert again.progress.rows == SHARD_ROWS
    output = Output(f"{bucket}/out", s3)
    assert verify(output, with_input=True).violations == ()
    table = ds.dataset(f"{bucket.removeprefix('s3://')}/out", filesystem=store, format="parquet").to_table()
    found = dict(zip(table["id"].to_pylist(), vectors_of(table["embedding"]), strict=True))
    assert sorted(found) == sorted(corpus[1])
    due = np.asarray(encoder.encode(list(corpus[1].values())))
    np.testing.assert_allclose([found[name] for name in corpus[1]], due, rtol=0, atol=1e-4)
