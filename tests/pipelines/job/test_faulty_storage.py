"""A whole job over a store that fails: faults that pass cost retries, and one that stays costs its unit alone."""

from typing import Any

import pytest
import s3fs

from pipelines.job.embed import Job, embed
from pipelines.output.layout import Output
from pipelines.output.verify import verify
from tests.pipelines.job.jobs import COLUMNS, SHARD_ROWS, spec_of, write_mixed_corpus
from tests.s3_server import new_bucket

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.fixture
def job(faulty, tiny_model, tmp_path):
    """A job from and to a bucket behind the proxy; and the proxy."""
    storage, proxy = faulty
    bucket = new_bucket(storage)
    write_mixed_corpus(tmp_path / "mixed")
    s3fs.S3FileSystem(**storage.options).put(f"{tmp_path}/mixed/", f"{bucket}/corpus/", recursive=True)
    inputs = (f"{bucket}/corpus/*",)
    return Job(inputs, f"{bucket}/out", spec_of(tiny_model), COLUMNS, SHARD_ROWS, (2, 2), storage=storage), proxy


def test_a_job_over_a_store_that_fails_at_one_request_in_ten_is_whole_and_tells_its_retries(job):
    asked, proxy = job
    proxy.hang_seconds = 0.2
    proxy.rate = 0.1
    summary = embed(asked)
    found = verify(Output(asked.output, asked.storage), with_input=True)
    assert (summary.failures, found.violations, found.rows) == ((), (), 220)
    assert sum(proxy.faults.values()) > 10
    assert summary.progress.retries > 0


def test_a_unit_whose_store_keeps_failing_fails_alone_and_is_made_by_a_rerun(job):
    asked, proxy = job
    proxy.broken.add("part-000001-000001")
    summary = embed(asked)
    assert [record.unit for record in summary.failures] == ["part-000001-000001"]
    assert summary.failures[0].message.endswith("Please try again., after 7 attempts")
    assert summary.manifest is None
    proxy.broken.clear()
    again = embed(asked)
    assert again.progress.rows > 0
    assert summary.progress.rows + again.progress.rows == 220
    assert verify(Output(asked.output, asked.storage), with_input=True).violations == ()


def test_an_upload_in_parts_that_nobody_finished_is_no_shard(job):
    asked, _ = job
    store: Any = s3fs.S3FileSystem(**asked.storage.options)
    bucket, key, _ = store.split_path(f"{asked.output}/part-000000-000000.parquet")
    begun = store.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    part = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"], "PartNumber": 1}
    store.call_s3("upload_part", **part, Body=b"half a shard")
    summary = embed(asked)
    assert summary.progress.rows == 220
    assert verify(Output(asked.output, asked.storage), with_input=True).violations == ()
