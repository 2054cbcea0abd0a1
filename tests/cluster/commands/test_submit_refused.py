"""`encorpus submit` refuses in one line what cannot run on a cluster, before it asks the cluster."""

import sys

import pytest

from cluster.arguments import parse
from cluster.commands.submit import entrypoint
from cluster.console import Console
from tests.cluster.command_line import encorpus
from tests.cluster.jobs.other_servers import losing_what_is_sent

NOBODY = ("--cluster", "http://127.0.0.1:1")
JOB = ("submit", "s3://b/in", "-o", "s3://b/out", "--model", "s3://b/model", *NOBODY)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("submit", "s3://b/in", "--model", "s3://b/m", *NOBODY), "-o OUTPUT is missing"),
        (("submit", "s3://b/in", "-o", "s3://b/out", *NOBODY), "--model is missing"),
        ((*JOB, "-o", "vectors"), "vectors: a relative path means a folder of this machine"),
        ((*JOB, "--storage-option", "secret=hunter2"), "--storage-option secret seems to be a secret"),
        ((*JOB, "--address", "auto"), "unrecognized arguments: --address auto"),
        (
            (*JOB, "--cluster", "ray://head:10001"),
            "argument --cluster: 'ray://head:10001' is not the URL of a Jobs API",
        ),
        (
            (*JOB, "--cluster", "http://[::1:8265"),
            "argument --cluster: 'http://[::1:8265' is not the URL of a Jobs API",
        ),
        ((*JOB, "--cluster", "http://me:hunter2@head:8265"), "argument --cluster: no user or password here"),
        (JOB, "http://127.0.0.1:1: no Ray cluster answers there"),
    ],
)
def test_one_line_says_what_is_wrong(words, told):
    refused = encorpus(*words)
    assert refused.status == 2
    assert told in refused.told
    assert "hunter2" not in refused.told


def test_paths_are_told_before_anything_is_sent():
    told = encorpus(*JOB, "--preprocessor", "/models/p").err
    assert told.startswith("taken as paths that all nodes of the cluster share: /models/p\n")


def test_a_secret_that_another_value_replaces_is_not_sent(tmp_path):
    config = tmp_path / "job.toml"
    config.write_text('[storage-option]\nsecret = "hunter2"\n')
    words = parse([*JOB, "--config", str(config), "--storage-option", "secret="])
    assert "hunter2" not in entrypoint(words, Console(sys.stdout, sys.stderr, tmp_path))


def test_a_file_for_embed_serves_submit(tmp_path):
    config = tmp_path / "job.toml"
    config.write_text('address = "auto"\nmodel = "s3://b/model"\noutput = "s3://b/out"\n')
    told = encorpus("submit", "s3://b/in", "--config", config, *NOBODY).told
    assert told.endswith("no Ray cluster answers there")


def test_the_environment_names_the_cluster(monkeypatch):
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "127.0.0.1:1")
    assert "http://127.0.0.1:1: no Ray cluster" in encorpus(*JOB[:-2]).told


def test_a_url_of_the_environment_that_is_none_is_told(monkeypatch):
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://[::1:8265")
    told = encorpus(*JOB[:-2]).told
    assert told.startswith("encorpus submit: RAY_API_SERVER_ADDRESS: 'http://[::1:8265' is not the URL of a Jobs API")


def test_the_option_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:2")
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:3")
    assert "http://127.0.0.1:1: no Ray cluster" in encorpus(*JOB).told


def test_where_the_answer_is_lost_the_job_may_be_there_and_the_commands_for_it_are_told():
    with losing_what_is_sent() as url:
        lost = encorpus(*JOB[:-1], url, "--installed")
    assert lost.status == 1
    assert lost.told == f"encorpus submit: {url}: no Ray cluster answers there; the job may have been accepted"
    assert f"encorpus logs s3://b/out --cluster {url} --follow" in lost.out
    assert f"encorpus cancel s3://b/out --cluster {url}" in lost.out
