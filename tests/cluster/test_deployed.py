"""What `serve deploy` starts has the options of `encorpus serve`, and no others."""

from typing import Any, cast

import pytest
from ray.serve._private.build_app import build_app

from cluster.deployed import application
from pipelines.errors import ModelError, UsageError


def deployment(args: dict[str, Any]):
    return build_app(application(args), name="app").deployments[0]


@pytest.fixture(autouse=True)
def connected(ray_session):
    """The nodes' sizes are asked for."""


def test_the_options_are_those_of_the_command(tiny_model):
    config = deployment({"model": f"minilm={tiny_model}", "pooling": "mean", "no-auth": True, "replicas": "0:2"})
    assert cast(Any, config._deployment_config.autoscaling_config).max_replicas == 2
    serving, threads = cast(Any, config.init_args)
    assert (list(serving.models), serving.models["minilm"].pooling, threads) == (["minilm"], "mean", 1)


def test_nodes_with_gpus_may_come_later(tiny_model):
    args = {"model": str(tiny_model), "no-auth": True, "replicas": 1, "gpus-per-replica": 1}
    assert deployment(args)._deployment_config.num_replicas == 1


def test_a_model_that_is_not_there_is_told_before_replicas_start():
    with pytest.raises(ModelError, match="nowhere"):
        application({"model": "nowhere", "no-auth": True})


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"model": "m"}, "give --api-keys FILE"),
        ({"model": "m", "port": 8000}, "args: port is no option here"),
        ({"model": "m", "shard-rows": 8}, "args: no option 'shard-rows'"),
        ({"model": True}, "args: model cannot be True"),
        ({"model": "m", "pooling": "sequence", "no-auth": True}, "--pooling sequence: no vector a text"),
    ],
)
def test_what_cannot_be_deployed_is_refused(args, told):
    with pytest.raises(UsageError) as refused:
        application(args)
    assert told in str(refused.value)
