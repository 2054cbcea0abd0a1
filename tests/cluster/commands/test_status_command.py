"""`encorpus status`: what is committed, what is missing, what was rejected and why."""

import shutil

import pytest

from pipelines.numbers import size
from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import MAX_TOKENS, content_of, rows_of


@pytest.fixture
def unfinished(mixed, tmp_path):
    """A copy of the output as a killed job leaves it: a shard of the middle and the end of a stream are not there."""
    output = tmp_path / "unfinished"
    shutil.copytree(mixed.output, output)
    (output / "part-000000-000001.parquet").unlink()
    (output / "part-000002-000001.parquet").unlink()
    (output / "_encorpus" / "manifest.json").unlink()
    return output


def told(output):
    """The status and what stands behind each word."""
    finished = encorpus("status", output)
    assert finished.err == ""
    lines = finished.out.splitlines()
    return finished.status, {line[:13].strip(): line[13:] for line in lines if not line.startswith((" ", "run "))}


def test_a_finished_output(mixed, tiny_model):
    status, said = told(mixed.output)
    assert status == 0
    assert said["model"] == f"{tiny_model} (mean, {MAX_TOKENS} tokens)"
    assert said["corpus"] == "4 files"
    assert said["missing"] == "nothing"
    assert said["rejects"] == "3"
    assert said["prove it"] == f"encorpus verify {mixed.output}"


def test_storage_options_are_needed_to_prove_it_too(mixed):
    last = encorpus("status", mixed.output, "--storage-option", "auto_mkdir=true").out.splitlines()[-1]
    assert last == f"prove it     encorpus verify {mixed.output} --storage-option auto_mkdir=…"


def test_what_is_committed_is_summed_up(mixed):
    tokens = sum(row["tokens"] for row in rows_of(mixed.output))
    held = size(sum(path.stat().st_size for path in mixed.output.glob("*.parquet")))
    assert told(mixed.output)[1]["committed"] == f"9 units: 72 rows, {tokens} tokens, {held}"


def test_the_reasons_of_the_rejects_are_counted(mixed):
    lines = encorpus("status", mixed.output).out.splitlines()
    reasons = ("text is null", "text is a number, not a string", "more fields than the header")
    assert {line for line in lines if line.startswith("  ")} == {f"  1 × {reason}" for reason in reasons}


def test_what_is_missing_is_told_and_the_status_is_1(unfinished, mixed):
    status, said = told(unfinished)
    assert status == 1
    assert said["committed"].startswith("7 units: 57 rows, ")
    assert said["missing"] == f"1 unit, the end of {mixed.corpus / 'c.jsonl.gz'} (1 slice there)"


def test_an_unfinished_output_says_how_to_go_on(unfinished):
    last = encorpus("status", unfinished).out.splitlines()[-1]
    assert last == "run the same embed command again to do what is missing"


def test_rejects_of_what_is_missing_do_not_count(unfinished):
    assert told(unfinished)[1]["rejects"] == "2"


def test_the_manifest_belongs_to_a_finished_output(mixed, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(mixed.output, output)
    (output / "_encorpus" / "manifest.json").unlink()
    status, said = told(output)
    assert (status, said["missing"]) == (1, "the manifest")


def test_nothing_is_written(unfinished):
    before = content_of(unfinished)
    encorpus("status", unfinished)
    assert content_of(unfinished) == before


def test_a_cluster_that_does_not_answer_hides_nothing_of_the_output(unfinished):
    finished = encorpus("status", unfinished, "--cluster", "http://127.0.0.1:1")
    job, *output = finished.out.splitlines()
    assert (finished.status, finished.err) == (1, "")
    assert job == "job          http://127.0.0.1:1: no Ray cluster answers there"
    assert output == encorpus("status", unfinished).out.splitlines()[:-1]
