"""The commands and the deployment of docs/serving.md have options that there are."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from cluster.arguments import parse, parse_mapping
from cluster.serving_options import serving_of

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", re.findall(r"^    encorpus (serve .+)$", PAGE, re.MULTILINE))
def test_every_command_is_one(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keys = re.findall(r"^```toml keys\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "keys.toml").write_text(*keys, encoding="utf-8")
    assert list(serving_of(parse(shlex.split(command))).models) == ["news"]


def test_the_deployment_has_options_of_the_command():
    [written] = re.findall(r"^```yaml deploy\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    [application] = yaml.safe_load(written)["applications"]
    assert parse_mapping("serve", application["args"], "args").replicas == (1, 8)
