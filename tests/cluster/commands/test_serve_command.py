"""`encorpus serve` as a user starts it: a process that says what it does, answers, and ends in order."""

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

from tests.cluster.command_line import ENCORPUS, encorpus
from tests.s3_server import free_port
from tests.serving.http.http_server import wait_for


@contextmanager
def serving(model: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process, as soon as it answers, and the lines that it has said until then."""
    words = [
        ENCORPUS,
        "serve",
        "--model",
        f"tiny={model}",
        "--port",
        str(port),
        "--replicas",
        "1",
        "--max-tokens",
        "16",
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    try:
        said = []
        while not said or not re.search(r"ready.*after \d+ s", said[-1]):
            said.append(process.stdout.readline())
            assert said[-1], said
        yield process, said
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_it_answers_until_it_is_told_to_end_and_then_ends_what_it_has_taken(tiny_model):
    port = free_port()
    with serving(tiny_model, port) as (process, said):
        assert f"http://127.0.0.1:{port} answers for tiny, without keys\n" in said
        assert re.search(r"^a job goes by its replicas with --through encorpus --address \S+:\d+$", "".join(said), re.M)
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="-", max_retries=0)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=30) as answer:
            assert [model["id"] for model in json.load(answer)["data"]] == ["tiny"]
        with ThreadPoolExecutor() as threads:
            long = threads.submit(client.embeddings.create, model="tiny", input=[f"text {n}" for n in range(2048)])
            wait_for(lambda: re.search(r'^encorpus_tokens_total\{.*"online".*\} [1-9]', metrics(port), re.MULTILINE))
            process.send_signal(signal.SIGTERM)
            assert len(long.result(timeout=60).data) == 2048
        assert process.wait(timeout=60) == 0
        assert process.stdout
        assert process.stdout.read().splitlines() == [
            "ending: what was accepted is answered, and nothing more is accepted",
            "ended",
        ]


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return answer.read().decode()


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--model", "{model}", "--port", "{taken}"), 2, "--port {taken}: Address already in use; choose another one"),
        (("--model", "nowhere"), 2, "nowhere"),
        ((), 2, "--model is missing"),
        (("--model", "{model}", "--host", "no.such.host.example"), 2, "--host no.such.host.example"),
    ],
)
def test_what_cannot_be_served_is_one_line(tiny_model, s3, words, status, told):
    taken = s3.options["endpoint_url"].rpartition(":")[2]
    places = {"model": tiny_model, "taken": taken}
    finished = encorpus("serve", *(word.format(**places) for word in words))
    assert (finished.status, finished.out) == (status, "")
    assert told.format(**places) in finished.told
