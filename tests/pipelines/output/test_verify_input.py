"""Verify with the input: every row of the output is the corpus's own, compared by reading the corpus again."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.corpus.plan import Columns
from pipelines.output.layout import Output
from pipelines.output.manifest import write_manifest
from pipelines.output.planned import load_planned
from pipelines.output.verify import verify
from tests.pipelines.output.corruption import copy_of, rewrite, rewrite_rejects, shard
from tests.pipelines.output.fake_job import (
    FakeJob,
    mixed_corpus,
    output_in,
    texts_of,
    write_json_lines,
    write_parquet,
)

KEYED = "part-000000-000000"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory) -> FakeJob:
    """Own ids, so that the shards alone do not tell which rows are due."""
    folder = tmp_path_factory.mktemp("keyed")
    rows = list(range(25))
    corpus = write_parquet(folder / "a.parquet", texts_of("a", 25), key=rows, half=[row / 2 for row in rows])
    job = FakeJob((corpus,), output_in(folder), columns=Columns("text", "key", ("half",)))
    job.run()
    return job


def lines(output: Output) -> list[str]:
    return [str(violation) for violation in verify(output, with_input=True).violations]


def test_an_output_of_every_kind_of_file_is_proven(tmp_path: Path):
    job = FakeJob(mixed_corpus(tmp_path / "corpus"), output_in(tmp_path))
    job.run()
    assert lines(job.output) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: table.take([1, 0, *range(2, table.num_rows)]), "its id in row 0 is not the input's: 1, where 0"),
        (lambda table: table.take([0, 0, *range(2, table.num_rows)]), "its id in row 1 is not the input's: 0, where 1"),
        (lambda table: table.set_column(1, "half", pa.array([9.0] * table.num_rows)), "its half in row 0 is not"),
    ],
    ids=["reordered", "doubled", "kept value"],
)
def test_rows_that_are_not_the_inputs_are_found(keyed, tmp_path, change, told):
    output = copy_of(keyed.output, tmp_path)
    rewrite(output, KEYED, change)
    planned = load_planned(output)
    write_manifest(output, planned.plan, planned.digest, keyed.fingerprint)
    assert verify(output).violations == ()
    assert any(line.startswith(KEYED) and told in line for line in lines(output))


def test_rejects_that_are_not_the_inputs_are_found(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", ["good", None]),), output_in(tmp_path))
    job.run()
    rewrite_rejects(job.output, KEYED, lambda table: table.set_column(3, "reason", pa.array(["another"])))
    [line] = lines(job.output)
    assert line.startswith(f"_encorpus/rejects/{KEYED}.parquet: its reason in row 0 is not the input's: 'another'")


def test_a_slice_that_a_stream_does_not_have_is_found(tmp_path: Path):
    job = FakeJob((write_json_lines(tmp_path / "a.jsonl.gz", texts_of("a", 25)),), output_in(tmp_path))
    job.run()
    shard(job.output, "part-000000-000003").write_bytes(shard(job.output, "part-000000-000002").read_bytes())
    assert any(line.startswith("part-000000-000003") and "has no such slice" in line for line in lines(job.output))


@pytest.mark.parametrize("what", ["is gone", "has changed"])
def test_an_input_that_is_not_the_planned_one_is_found(tmp_path: Path, what: str):
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 25))
    job = FakeJob((corpus,), output_in(tmp_path))
    job.run()
    if what == "is gone":
        corpus.unlink()
    else:
        write_parquet(corpus, texts_of("b", 26))
    assert lines(job.output) == [f"{corpus}: {what} since the plan was made; its rows cannot be compared"]
    assert verify(job.output).violations == ()
