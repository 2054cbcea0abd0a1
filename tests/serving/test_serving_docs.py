"""What docs/serving.md shows works as it stands."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from serving.http.api_keys import parse_keys
from serving.http.http_app import Limits, http_app
from serving.served_model import ServedModel
from tests.serving.fake_encoder import FakeEncoder, vector_of
from tests.serving.http.http_server import ask, running

TEXT = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    """The one block of code of a kind."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    return found


@pytest.fixture(scope="module")
def address():
    model = ServedModel("news", FakeEncoder(), most_waiting=1000, batch_floor=0.1, deadline_seconds=30)
    with running(http_app({"news": model}, None, Limits())) as url:
        yield url
    model.stop()


def test_the_lines_of_the_openai_client(address):
    names: dict[str, object] = {}
    exec(block("python").replace("http://127.0.0.1:8000", address), names)
    assert names["vectors"] == [vector_of("a text"), vector_of("another text")]


def test_what_curl_sends_is_answered(address):
    asked = re.findall(r"curl http://127.0.0.1:8000(\S+)[^']*?(?:-H '[^']*' \\\n *)?-d '(.*?)'", TEXT)
    assert [path for path, _ in asked] == ["/v1/embeddings", "/v1/models/news:predict"]
    for path, body in asked:
        assert ask(address + path, body.encode()).status == 200


def test_every_path_of_the_table_is_there(address):
    paths = re.findall(r"^\| `(/\S*)` \|", TEXT, re.MULTILINE)
    assert [ask(address + path).status for path in paths] == [200] * 6


def test_the_file_of_keys():
    assert tomllib.loads(block("toml"))
    assert [key.name for key in parse_keys(block("toml"), "keys.toml")] == ["search-team"]


def test_the_file_for_serve_deploy():
    deployed = ServeDeploySchema.model_validate(yaml.safe_load(block("yaml")))
    assert deployed.applications[0].args["replicas"] == "1:8"
