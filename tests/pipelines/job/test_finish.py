"""The end of a job: what may fail once the manifest is there, and what may not."""

from pathlib import Path

import pytest

from pipelines.errors import StorageError
from pipelines.output.layout import Output
from pipelines.output.manifest import load_manifest
from pipelines.storage import Storage
from tests.pipelines.output.fake_job import FakeJob, texts_of, write_parquet


def test_a_job_is_done_though_what_writers_left_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 24))
    job = FakeJob((corpus,), Output(str(tmp_path / "out"), Storage()))
    job.run()
    write_parquet(corpus, texts_of("other", 24))
    prepared = job.prepare(update=True)

    def failing(storage: Storage, folder_uri: str, *inner_uris: str) -> None:
        raise StorageError(f"{folder_uri}: cannot clean")

    monkeypatch.setattr(Storage, "sweep", failing)
    job.work(prepared)
    assert load_manifest(job.output) is not None
    assert {unit.file for unit in job.output.committed()} == {1}
