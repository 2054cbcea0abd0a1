"""job.json: it comes back as it was, and tells what keeps another job out."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipelines.errors import StorageError
from pipelines.output.job_file import difference, job_to_bytes, load_job_file
from tests.pipelines.output.fake_job import FakeJob, output_in

JOB = FakeJob((Path("a.parquet"),), output_in(Path("x"))).found().job_file


def test_it_comes_back_as_it_was(tmp_path: Path):
    output = output_in(tmp_path)
    output.storage.write_atomic(output.job_uri, job_to_bytes(JOB))
    assert load_job_file(output) == JOB


def test_there_is_none_before_the_first_job(tmp_path: Path):
    assert load_job_file(output_in(tmp_path)) is None


@pytest.mark.parametrize("content", [b"", b"[]", b'{"encoder": {}}', b"\xff"])
def test_a_damaged_one_is_one_clear_line(tmp_path: Path, content: bytes):
    output = output_in(tmp_path)
    output.storage.write_atomic(output.job_uri, content)
    with pytest.raises(StorageError, match=r"job\.json: not a job\.json of encorpus"):
        load_job_file(output)


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": {}},
        {"encoder": {}},
        {"encoder": []},
        {"encoder": {**JOB.encoder, "dtype": "int4"}},
        {"encoder": {**JOB.encoder, "layers": None}},
        {"encoder": {**JOB.encoder, "max_tokens": "128"}},
        {"encoder": {**JOB.encoder, "another": 1}},
        {"columns": {**JOB.columns, "keep": "title"}},
        {"columns": {**JOB.columns, "id": 1}},
        {"columns": None},
        {"fingerprint": None},
        {"shard_rows": "10"},
        {"shard_rows": 0},
        {"inputs": [1]},
    ],
    ids=str,
)
def test_one_with_a_value_of_another_kind_is_damaged_too(tmp_path: Path, wrong: dict):
    output = output_in(tmp_path)
    output.storage.write_atomic(output.job_uri, json.dumps({**asdict(JOB), **wrong}).encode())
    with pytest.raises(StorageError, match=r"job\.json: not a job\.json of encorpus"):
        load_job_file(output)


@pytest.mark.parametrize(
    "same",
    [
        JOB,
        replace(JOB, inputs=["more"], encorpus_version="9"),
        replace(JOB, encoder={**JOB.encoder, "model": "moved elsewhere"}),
    ],
    ids=["equal", "inputs and version", "moved model"],
)
def test_what_does_not_shape_the_output_may_differ(same):
    assert difference(JOB, same) is None


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(JOB, encoder={**JOB.encoder, "pooling": "cls"}), "pooling was mean, now cls"),
        (replace(JOB, shard_rows=99), "shard-rows was 10, now 99"),
        (replace(JOB, columns={**JOB.columns, "id": "key"}), "id column was None, now key"),
        (replace(JOB, fingerprint="0"), "the model or preprocessor is another one (the fingerprint differs)"),
    ],
    ids=["spec", "shard rows", "columns", "content"],
)
def test_what_shapes_the_output_is_named_with_both_values(other, told):
    assert difference(JOB, other) == told
