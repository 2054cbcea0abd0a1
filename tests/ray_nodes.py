"""A Ray cluster of several nodes on this machine, as processes of their own."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import ray
from ray.cluster_utils import Cluster

OBJECT_STORE_BYTES = 80 << 20


@contextmanager
def ray_cluster(folder: Path, *workers: Mapping[str, str]) -> Iterator[Any]:
    """A `ray.cluster_utils.Cluster` with a head, which has no work, and a node of a CPU for each environment, for
    the time of the block; the Ray that tests share makes way for it. folder: Ray's, with a short path, since it has
    sockets."""
    shared = ray.is_initialized()
    (folder / "ray").mkdir(parents=True)
    ray.shutdown()
    with mock.patch.dict(os.environ, {"RAY_TMPDIR": str(folder)}):
        cluster: Any = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False},
        )
        try:
            for environment in workers:
                add_node(cluster, environment)
            cluster.wait_for_nodes()
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
            if shared:
                ray.init(address="local", num_cpus=2, log_to_driver=False, include_dashboard=False)


def add_node(cluster: Any, environment: Mapping[str, str]) -> Any:
    """A node of a CPU with the environment joins the cluster, for `cluster.remove_node`."""
    with mock.patch.dict(os.environ, environment):
        return cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE_BYTES)
