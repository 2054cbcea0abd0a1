"""What lies in an output is found by few requests, and as it was at one moment."""

from dataclasses import replace
from pathlib import Path

from pipelines.corpus.plan import plan_digest
from pipelines.output.layout import Output
from pipelines.storage import Storage
from tests.pipelines.output.fake_job import FakeJob, output_in, texts_of, write_parquet


def test_the_plan_is_read_once_so_that_its_bytes_are_those_that_were_understood(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 20)),), output_in(tmp_path))
    job.run()
    reads: list[str] = []

    class Counting(Storage):
        def read_bytes(self, uri: str) -> bytes:
            reads.append(uri.rpartition("/")[2])
            return super().read_bytes(uri)

    found = replace(job, output=Output(job.output.uri, Counting())).found()
    assert sorted(reads) == ["job.json", "manifest.json", "plan.parquet"]
    assert found.planned is not None and found.plan_bytes is not None
    assert found.planned.digest == plan_digest(found.plan_bytes)
