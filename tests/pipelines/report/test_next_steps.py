"""What to run next, as a shell takes it."""

import shlex
from dataclasses import replace

import pytest

from pipelines.report.next_steps import next_steps
from pipelines.report.run_report import End
from tests.pipelines.report.runs import resumed_run, tiny_run

COMMAND = "encorpus embed corpus -o 'my vectors' --model model"


@pytest.fixture
def complete(tmp_path):
    return replace(tiny_run(tmp_path), output="/data/my vectors", command=COMMAND, storage_options=())


def commands(report):
    return [shlex.split(step.command) for step in next_steps(report)]


def test_a_complete_output_is_proven_and_searched(complete):
    assert commands(complete) == [
        ["encorpus", "verify", "/data/my vectors"],
        ["encorpus", "search", "/data/my vectors", "a query"],
    ]


def test_what_was_rejected_is_retried(complete):
    assert complete.whole is not None
    with_rejects = replace(complete, whole=replace(complete.whole, rejects=2))
    assert commands(with_rejects)[-1] == ["encorpus", "retry", "/data/my vectors"]


def test_what_an_earlier_run_rejected_is_retried_too(tmp_path):
    assert commands(resumed_run(tmp_path))[-1][:3] == ["encorpus", "retry", str(tmp_path)]


@pytest.mark.parametrize("end", [End.UNITS_FAILED, End.LIMITED, End.STOPPED, End.INTERRUPTED])
def test_an_unfinished_one_is_gone_on_with_by_the_same_command(complete, end):
    assert commands(replace(complete, end=end)) == [
        shlex.split(COMMAND),
        ["encorpus", "status", "/data/my vectors"],
    ]


def test_a_vector_a_token_cannot_be_searched(complete):
    spec = {**complete.spec, "pooling": "sequence"}
    assert "search" not in str(commands(replace(complete, spec=spec)))


def test_storage_options_are_named_without_their_values(complete):
    assert commands(replace(complete, storage_options=("key",)))[0][-2:] == ["--storage-option", "key=…"]


def test_a_job_that_python_ran_has_no_command(complete):
    first, _ = next_steps(replace(complete, end=End.STOPPED, command=None))
    assert first.command == "run the same job again"
