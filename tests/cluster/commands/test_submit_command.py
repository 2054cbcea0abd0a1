"""`encorpus submit` and its companions, with a real Ray cluster behind a token: what people see, from any machine."""

import signal
import time

import pytest
import requests

from tests.cluster.command_line import encorpus
from tests.cluster.jobs.client_machine import ClientMachine
from tests.cluster.jobs.cut_connections import way_to
from tests.cluster.small_outputs import MAX_TOKENS, write_mixed_corpus, write_parquet

UNITS = 400
GO_ON = "encorpus embed: interrupted; what is committed stays, run the same command again to go on"
WAIT_SECONDS = 120


def long_job(folder, model):
    """INPUT, OUTPUT and options of a job of many small units, so that there is much to interrupt."""
    corpus = write_parquet(folder / "a.parquet", [f"a-{row}" for row in range(2 * UNITS)])
    options = ("--model", model, "--max-tokens", MAX_TOKENS, "--shard-rows", 2, "--workers", 1)
    return (corpus, "-o", folder / "out", *options)


def wait_for_shards(output):
    """Until something is committed."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not list(output.glob("*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def other_machine(cluster_behind_token, tmp_path):
    """Somebody else's, which knows of the job only its output."""
    return ClientMachine(cluster_behind_token, tmp_path / "another-home")


def test_a_job_is_shown_and_its_exit_status_is_the_command_s(laptop, tiny_model, tmp_path):
    corpus, output = write_mixed_corpus(tmp_path / "corpus"), tmp_path / "out"
    done = laptop.run("submit", corpus, "-o", output, "--model", tiny_model, "--max-tokens", MAX_TOKENS)
    assert done.status == 3, done
    assert done.err.splitlines() == [
        f"taken as paths that all nodes of the cluster share: {corpus}, {output}, {tiny_model}",
        done.err.splitlines()[-1],
    ]
    assert f"accepted by {laptop.cluster.url}; Ctrl-C ends the watching, not the job" in done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("4 files, ")
    assert f"3 rejects, kept in {output}/_encorpus/rejects:" in lines
    assert laptop.run("logs", output).out == done.out
    told = laptop.run("status", output)
    assert "finished, but some rows or files were rejected (exit status 3)" in told.out.splitlines()[0]
    assert told.status == encorpus("verify", output, "--input").status == 0
    assert shown_in_the_dashboard(laptop, output)["metadata"]["encorpus_output"] == str(output)


def shown_in_the_dashboard(machine, output):
    """What the Jobs API, and so the dashboard, tells of the job for an output."""
    headers = {"Authorization": f"Bearer {machine.cluster.token.read_text()}"}
    answer = requests.get(f"{machine.cluster.url}/api/jobs/", headers=headers, timeout=10).json()
    return next(job for job in answer if job["metadata"].get("encorpus_output") == str(output))


def test_a_job_is_refused_twice_watched_cancelled_and_done_by_submitting_it_again(
    laptop, other_machine, tiny_model, tmp_path
):
    words = ("submit", *long_job(tmp_path, tiny_model))
    output = tmp_path / "out"
    with laptop.running(*words, "--detach") as one, other_machine.running(*words, "--detach") as two:
        both = [(process.communicate(timeout=WAIT_SECONDS), process.returncode) for process in (one, two)]
    ((accepted, _), _), ((_, refused), _) = sorted(both, key=lambda done: done[1])
    assert sorted(status for _, status in both) == [0, 2], both
    assert f"encorpus cancel {output} --cluster {laptop.cluster.url}" in accepted
    assert refused.splitlines()[-1].startswith(f"encorpus submit: {output} has a job already: encorpus-out-")

    with other_machine.running("logs", output, "--follow") as watching:
        assert watching.stdout.readline().endswith(f"0 units committed, {UNITS} units to do\n")
        wait_for_shards(output)
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=WAIT_SECONDS)
    assert (watching.returncode, err) == (130, "encorpus logs: interrupted; the job goes on\n")

    seen = other_machine.run("status", output)
    assert ": running for " in seen.out.splitlines()[0]
    assert seen.status == 1 and "run the same embed command again" not in seen.out
    assert "has a job already" in laptop.run(*words).err

    cancelled = other_machine.run("cancel", output)
    assert cancelled.status == 0
    assert "was cancelled; what is committed stays" in cancelled.out
    assert laptop.run("logs", output).out.splitlines()[-1] == GO_ON
    assert "has ended before: was cancelled" in laptop.run("cancel", output).out

    committed = len(list(output.glob("*.parquet")))
    assert 0 < committed < UNITS
    again = laptop.run(*words)
    assert again.status == 0
    assert f"; {committed} units committed, {UNITS - committed} units to do" in again.out.splitlines()[0]
    assert encorpus("verify", output, "--input").status == 0


def test_a_killed_client_and_a_cut_connection_leave_the_job_alone(laptop, other_machine, tiny_model, tmp_path):
    output = tmp_path / "out"
    with laptop.running("submit", *long_job(tmp_path, tiny_model), "--limit", 200) as watching:
        first = watching.stdout.readline()
        watching.kill()
    with way_to(laptop.cluster.url) as way:
        with other_machine.running("logs", output, "--follow", url=way.url) as following:
            assert following.stdout.readline() == first
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
