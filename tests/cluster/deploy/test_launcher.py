"""The cluster launcher's files are what Ray takes, and what they start asks for the token."""

import json
from pathlib import Path
from typing import Any

import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.cluster.deploy.files import LAUNCHED

SCHEMA = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())

every_file = pytest.mark.parametrize("path", LAUNCHED, ids=lambda path: path.parent.name)


def config_of(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def test_there_is_one_for_each_cloud():
    assert [path.parent.name for path in LAUNCHED] == ["aws", "gcp"]


@every_file
def test_ray_takes_it_with_its_own_defaults(path):
    validate_config(prepare_config(config_of(path)))


@every_file
def test_node_types_have_no_field_that_ray_does_not_know(path):
    [known] = SCHEMA["properties"]["available_node_types"]["patternProperties"].values()
    for name, node_type in config_of(path)["available_node_types"].items():
        assert set(node_type) <= set(known["properties"]), name


@every_file
def test_the_head_has_no_work(path):
    config = config_of(path)
    assert config["available_node_types"][config["head_node_type"]]["resources"] == {"CPU": 0}


@every_file
def test_workers_come_from_none_and_are_spot_machines(path):
    config = config_of(path)
    workers = {name: one for name, one in config["available_node_types"].items() if name != config["head_node_type"]}
    assert [one["min_workers"] for one in workers.values()] == [0, 0]
    assert all("spot" in json.dumps(one["node_config"]).lower() for one in workers.values())


@every_file
def test_workers_are_told_of_a_notice(path):
    assert any(
        f"cluster.spot_notice {path.parent.name} " in one for one in config_of(path)["worker_start_ray_commands"]
    )


@every_file
def test_every_node_asks_for_the_token_that_is_mounted(path):
    config = config_of(path)
    options = " ".join(config["docker"]["run_options"])
    [mounted] = config["file_mounts"]
    assert "--env RAY_AUTH_MODE=token" in options
    assert f"--env RAY_AUTH_TOKEN_PATH={mounted}/auth_token" in options


@every_file
def test_the_dashboard_is_for_its_own_machine(path):
    [start] = [one for one in config_of(path)["head_start_ray_commands"] if "ray start" in one]
    assert "--dashboard-host=127.0.0.1" in start


def test_the_two_clouds_differ_in_their_machines_alone():
    both = [config_of(one) for one in LAUNCHED]
    for config in both:
        for own in ("provider", "available_node_types", "worker_start_ray_commands"):
            config.pop(own)
    assert both[0] == both[1]
