"""What to run next, as a shell takes it."""

import shlex
from dataclasses import replace

import pytest

from pipelines.report.next_steps import next_steps, next_steps_html
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


@pytest.mark.parametrize("end", [End.UNITS_FAILED, End.STOPPED, End.INTERRUPTED])
def test_an_unfinished_one_is_gone_on_with_by_the_same_command(complete, end):
    assert commands(replace(complete, end=end)) == [
        shlex.split(COMMAND),
        ["encorpus", "status", "/data/my vectors"],
    ]


@pytest.mark.parametrize(
    ("limit", "rest"),
    [
        ("--limit 100 --model m", "--model m"),
        ("--model m --limit=100", "--model m"),
        ("--id-column 'a --limit 5' --limit 100", "--id-column 'a --limit 5'"),
        ("--limit 5 --limit 100", ""),
    ],
)
def test_one_that_stopped_at_its_limit_is_gone_on_with_without_it(complete, limit, rest):
    first, _ = next_steps(replace(complete, end=End.LIMITED, command=f"encorpus embed 'my corpus' {limit}"))
    assert "without --limit" in first.why
    assert first.command is not None
    assert shlex.split(first.command) == shlex.split(f"encorpus embed 'my corpus' {rest}")


@pytest.mark.parametrize("command", [None, "encorpus embed --config job.toml", "no shell's 'words"])
def test_where_the_limit_is_not_in_the_command_it_is_left_out_in_words_alone(complete, command):
    first, _ = next_steps(replace(complete, end=End.LIMITED, command=command))
    assert ("without --limit" in first.why, first.command) == (True, None)


@pytest.mark.parametrize("command", [COMMAND + " -x" * 2000, f"{COMMAND} 'a\x1b'"], ids=["too long", "invisible"])
def test_a_command_that_cannot_be_shown_as_it_is_is_told_in_words_alone(complete, command):
    told = next_steps_html(replace(complete, end=End.STOPPED, command=command))
    assert "run the same command again" in told
    assert "encorpus embed" not in told


def test_an_output_without_rows_cannot_be_searched(complete):
    assert complete.whole is not None
    assert "search" not in str(commands(replace(complete, whole=replace(complete.whole, rows=0))))


def test_a_vector_a_token_cannot_be_searched(complete):
    spec = {**complete.spec, "pooling": "sequence"}
    assert "search" not in str(commands(replace(complete, spec=spec)))


def test_storage_options_are_named_without_their_values(complete):
    assert commands(replace(complete, storage_options=("key",)))[0][-2:] == ["--storage-option", "key=…"]


def test_a_job_that_python_ran_has_no_command(complete):
    first, _ = next_steps(replace(complete, end=End.STOPPED, command=None))
    assert first.command is None
