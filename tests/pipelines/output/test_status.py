"""Status: how far an output is, from listings and footers alone."""

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from pipelines.output.status import status
from tests.pipelines.output.fake_job import FakeJob, mixed_corpus, output_in, texts_of, write_json_lines, write_parquet


def test_a_finished_output(tmp_path: Path):
    job = FakeJob(mixed_corpus(tmp_path / "corpus"), output_in(tmp_path))
    job.run()
    found = status(job.output)
    assert found.finished
    assert found.files == 7
    assert found.committed == found.remaining.planned


def test_an_unfinished_output(tmp_path: Path):
    cut = write_parquet(tmp_path / "a.parquet", texts_of("a", 40))
    stream = write_json_lines(tmp_path / "b.jsonl.gz", texts_of("b", 25))
    job = FakeJob((cut, stream), output_in(tmp_path))
    job.run(most=5)
    found = status(job.output)
    assert not found.finished
    assert (found.committed, found.rows) == (5, 50)
    assert [(Path(file.uri).name, slices) for file, slices in found.unfinished_streams] == [("b.jsonl.gz", 1)]


def test_the_manifest_is_missing_when_the_job_died_just_before_its_end(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 5)),), output_in(tmp_path))
    job.run()
    Path(job.output.manifest_uri).unlink()
    found = status(job.output)
    assert found.remaining.nothing
    assert not found.finished
    assert found.rows == 5


def test_rejects_are_counted_by_reason_for_committed_units_only(tmp_path: Path):
    corpus = write_parquet(tmp_path / "a.parquet", ["good", None, None, *texts_of("a", 8), None])
    job = FakeJob((corpus,), output_in(tmp_path), shard_rows=6)
    job.run()
    (Path(job.output.uri) / "part-000000-000001.parquet").unlink()
    assert status(job.output).reasons == {"text is null": 2}


def test_what_is_no_output_is_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError, match=r"out: not an output of encorpus embed"):
        status(output_in(tmp_path))
