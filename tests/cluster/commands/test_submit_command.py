"""`encorpus submit` and its companions, with a real Ray cluster behind a token: what people see, from any machine."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.cluster.command_line import Finished, encorpus
from tests.cluster.jobs.client_machine import ClientMachine
from tests.cluster.jobs.cut_connections import way_to
from tests.cluster.small_outputs import MAX_TOKENS, write_mixed_corpus, write_parquet

UNITS = 6000
GO_ON = "encorpus embed: interrupted; what is committed stays, run the same command again to go on"
WAIT_SECONDS = 240


def long_job(folder, model):
    """INPUT, OUTPUT and options of a job of many small units, so that there is much to interrupt."""
    corpus = write_parquet(folder / "a.parquet", [f"a-{row}" for row in range(2 * UNITS)])
    options = ("--model", model, "--max-tokens", MAX_TOKENS, "--shard-rows", 2, "--workers", 1)
    return (corpus, "-o", folder / "out", *options)


def next_line(process):
    """Waits for it."""
    return process.stdout.readline()


def wait_for_shards(output):
    """Until something is committed."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not list(output.glob("*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@dataclass(frozen=True)
class Shown:
    """A job that was watched to its end, and what could be seen of it afterwards."""

    corpus: Path
    output: Path
    submitted: Finished
    logs: Finished
    status: Finished
    dashboard: dict


@pytest.fixture(scope="module")
def shown(cluster_behind_token, tiny_model, tmp_path_factory):
    """Files of four formats, with three bad rows."""
    folder = tmp_path_factory.mktemp("shown")
    machine = ClientMachine(cluster_behind_token, folder / "home")
    corpus, output = write_mixed_corpus(folder / "corpus"), folder / "out"
    submitted = machine.run("submit", corpus, "-o", output, "--model", tiny_model, "--max-tokens", MAX_TOKENS)
    logs, status = machine.run("logs", output), machine.run("status", output)
    return Shown(corpus, output, submitted, logs, status, told_by_the_jobs_api(machine, output))


def told_by_the_jobs_api(machine, output):
    """What the Jobs API, and so the dashboard, tells of the job for an output."""
    headers = {"Authorization": f"Bearer {machine.cluster.token.read_text()}"}
    answer = requests.get(f"{machine.cluster.url}/api/jobs/", headers=headers, timeout=10).json()
    return next(job for job in answer if job["metadata"].get("encorpus_output") == str(output))


def test_the_exit_status_is_the_job_s(shown):
    assert shown.submitted.status == 3, shown.submitted


def test_the_job_s_own_lines_are_shown(shown):
    lines = shown.submitted.out.splitlines()
    assert lines[0].startswith("4 files, ")
    assert f"3 rejects, kept in {shown.output}/_encorpus/rejects:" in lines


def test_paths_and_the_job_s_name_are_told_beside_them(shown, tiny_model, cluster_behind_token):
    paths, job = shown.submitted.err.splitlines()
    assert paths == f"taken as paths that all nodes of the cluster share: {shown.corpus}, {shown.output}, {tiny_model}"
    assert job.endswith(f"accepted by {cluster_behind_token.url}; Ctrl-C ends the watching, not the job")


def test_logs_are_what_was_shown(shown):
    assert (shown.logs.status, shown.logs.out) == (0, shown.submitted.out)


def test_status_tells_how_the_job_ended_and_what_the_output_holds(shown):
    lines = shown.status.out.splitlines()
    assert shown.status.status == 0
    assert "finished, but some rows or files were rejected (exit status 3)" in lines[0]
    assert lines[-1] == f"prove it     encorpus verify {shown.output}"


def test_the_code_has_travelled_and_the_output_holds(shown):
    assert encorpus("verify", shown.output, "--input").status == 0


def test_the_dashboard_shows_output_and_version_and_no_token(shown, cluster_behind_token):
    assert set(shown.dashboard["metadata"]) == {"encorpus_output", "encorpus_version"}
    assert cluster_behind_token.token.read_text() not in str(shown.dashboard)


@dataclass(frozen=True)
class Cancelled:
    """A job that was submitted twice at once, watched for a while, cancelled, and submitted again."""

    output: Path
    at_once: list[tuple[int, str, str]]
    watched: tuple[int, str, str]
    seen: Finished
    cancel: Finished
    logs: Finished
    cancel_again: Finished
    committed: int
    again: Finished


@pytest.fixture(scope="module")
def cancelled(cluster_behind_token, tiny_model, tmp_path_factory):
    """One machine submits, another one that knows nothing but the output does the rest."""
    folder = tmp_path_factory.mktemp("cancelled")
    one, other = (ClientMachine(cluster_behind_token, folder / name) for name in ("home", "another-home"))
    words, output = ("submit", *long_job(folder, tiny_model)), folder / "out"
    with one.running(*words, "--detach") as first, other.running(*words, "--detach") as second:
        at_once = sorted(to_the_end(process) for process in (first, second))
    with other.running("logs", output, "--follow") as watching:
        wait_for_shards(output)
        watching.send_signal(signal.SIGINT)
        watched = to_the_end(watching)
    seen, cancel = other.run("status", output), other.run("cancel", output)
    logs, cancel_again = one.run("logs", output), one.run("cancel", output)
    committed = len(list(output.glob("*.parquet")))
    again = one.run(*words)
    return Cancelled(output, at_once, watched, seen, cancel, logs, cancel_again, committed, again)


def to_the_end(process):
    """Its exit status, and what it said."""
    out, err = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, out, err


def test_of_two_jobs_for_one_output_one_is_accepted(cancelled):
    assert [status for status, _, _ in cancelled.at_once] == [0, 2]


def test_detached_the_commands_to_look_and_to_end_are_told(cancelled, cluster_behind_token):
    _, out, _ = cancelled.at_once[0]
    assert [line.partition("encorpus ")[2] for line in out.splitlines()[1:]] == [
        f"{command} {cancelled.output} --cluster {cluster_behind_token.url}{more}"
        for command, more in (("status", ""), ("logs", " --follow"), ("cancel", ""))
    ]


def test_the_other_one_is_refused_with_advice(cancelled):
    _, _, err = cancelled.at_once[1]
    assert err.splitlines()[-1].startswith(f"encorpus submit: {cancelled.output} has a job already: encorpus-out-")


def test_ctrl_c_ends_the_watching_alone(cancelled):
    status, _, err = cancelled.watched
    assert (status, err) == (130, "encorpus logs: interrupted; the job goes on\n")


def test_another_machine_sees_that_the_job_runs(cancelled):
    job, last, *_ = cancelled.seen.out.splitlines()
    assert cancelled.seen.status == 1
    assert ": running for " in job
    assert last.startswith("last line    1 file, ")
    assert "run the same embed command again" not in cancelled.seen.out


def test_cancelling_ends_the_job_as_an_interruption_does(cancelled):
    assert cancelled.cancel.status == 0
    assert "was cancelled; what is committed stays" in cancelled.cancel.out
    assert cancelled.logs.out.splitlines()[-1] == GO_ON


def test_cancelling_again_changes_nothing(cancelled):
    assert cancelled.cancel_again.status == 0
    assert "has ended before: was cancelled" in cancelled.cancel_again.out


def test_submitting_it_again_does_the_rest(cancelled):
    assert cancelled.again.status == 0
    assert 0 < cancelled.committed < UNITS
    told = f"; {cancelled.committed:,} units committed, {UNITS - cancelled.committed:,} units to do"
    assert cancelled.again.out.splitlines()[0].endswith(told)
    assert encorpus("verify", cancelled.output, "--input").status == 0


def test_a_killed_client_and_a_cut_connection_leave_the_job_alone(laptop, tiny_model, tmp_path):
    output = tmp_path / "out"
    other_machine = ClientMachine(laptop.cluster, tmp_path / "another-home")
    with laptop.running("submit", *long_job(tmp_path, tiny_model), "--limit", 200) as watching:
        first = next_line(watching)
        watching.kill()
    with way_to(laptop.cluster.url) as way:
        with other_machine.running("logs", output, "--follow", url=way.url) as following:
            assert next_line(following) == first
            way.cut()
            out, err = following.communicate(timeout=WAIT_SECONDS)
        assert following.returncode == 0, err
    assert "the connection is lost" in err
    assert first + out == laptop.run("logs", output).out


def test_without_a_token_one_line_says_how_to_give_it(laptop):
    done = laptop.run("logs", "s3://b/out", RAY_AUTH_MODE=None, RAY_AUTH_TOKEN_PATH=None)
    assert done.status == 2
    assert done.told == (
        f"encorpus logs: {laptop.cluster.url} asks for a token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=FILE, "
        "a file with the cluster's token"
    )


def test_a_wrong_token_is_told_in_one_line(laptop, tmp_path):
    (tmp_path / "wrong").write_text("f" * 64)
    done = laptop.run("cancel", "s3://b/out", RAY_AUTH_TOKEN_PATH=str(tmp_path / "wrong"))
    assert done.status == 2
    assert done.told.startswith(f"encorpus cancel: {laptop.cluster.url}: this is not the cluster's token; set ")


def test_an_output_without_a_job_is_told(laptop):
    assert laptop.run("cancel", "s3://b/none").told == (
        f"encorpus cancel: {laptop.cluster.url} knows no job for s3://b/none, as it was given to `encorpus submit`"
    )


def test_status_tells_that_there_is_neither_job_nor_output(laptop, tmp_path):
    done = laptop.run("status", tmp_path / "none")
    assert done.status == 1
    assert done.out.splitlines()[0] == f"job          none that {laptop.cluster.url} knows of"
    assert done.out.splitlines()[1].startswith("output       nothing to be seen from here: ")
