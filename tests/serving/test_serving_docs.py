"""What docs/serving.md tells to send is answered, and what it tells to write is taken."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from serving.http.api_keys import parse_keys
from serving.http.http_app import Limits, http_app
from serving.served_model import ServedModel
from tests.serving.fake_encoder import FakeEncoder, vector_of
from tests.serving.http.http_server import ask, running

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
BLOCKS: dict[str, str] = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
CURLS = re.findall(r"^    curl (.+)$", PAGE, re.MULTILINE)
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def address():
    model = ServedModel("news", FakeEncoder(), most_waiting=1 << 18, batch_floor=0.05, deadline_seconds=30)
    with running(http_app({"news": model}, None, Limits())) as url:
        yield url
    model.stop()


def test_the_openai_client_gets_a_vector_a_text(address):
    names: dict[str, Any] = {}
    exec(compile(BLOCKS["openai"].replace(ADDRESS, address), "serving.md", "exec"), names)
    assert names["vectors"] == [vector_of("a text"), vector_of("another")]


@pytest.mark.parametrize("command", CURLS)
def test_every_curl_line_is_answered(address, command):
    url, *options = shlex.split(command)
    body = options[options.index("-d") + 1].encode() if "-d" in options else None
    answer = ask(url.replace(ADDRESS, address), body)
    assert answer.status == 200, answer.body


def test_the_key_file_is_one():
    assert [key.name for key in parse_keys(BLOCKS["keys"], "keys")] == ["search-team"]


def test_the_deployment_is_one_of_ray_serve():
    [application] = ServeDeploySchema.model_validate(yaml.safe_load(BLOCKS["deploy"])).applications
    assert application.import_path == "cluster.deployed:application"
