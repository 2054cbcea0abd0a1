"""What all tests share: one small model, one Ray, a cache of their own."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.storage import Storage

if TYPE_CHECKING:
    from tests.fault_proxy import FaultProxy

# Set before anything imports TensorFlow or Ray.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the user's model cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ENCORPUS_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a packaged BERT of two layers, 32 wide, 64 positions, with random weights."""
    from tests.tiny_model import package_tiny_model

    return package_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One Ray of two CPUs for all tests."""
    import ray

    from pipelines.job.session import ray_session as session

    with session(address=None, cpus=2):
        assert ray.is_initialized()
        yield


@pytest.fixture(scope="session")
def s3() -> Iterator[Storage]:
    """Storage that reaches a real S3 server, one for all tests."""
    from tests.s3_server import moto_server

    with moto_server() as storage:
        yield storage


@pytest.fixture(scope="session")
def rclone_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the other S3 server has its buckets, as folders."""
    return tmp_path_factory.mktemp("rclone")


@pytest.fixture(scope="session")
def rclone_s3(rclone_folder: Path) -> Iterator[Storage]:
    """Storage that reaches another maker's S3 server, one for all tests."""
    from tests.s3_server import rclone_server

    with rclone_server(rclone_folder) as storage:
        yield storage


@pytest.fixture
def faulty(s3: Storage) -> Iterator[tuple[Storage, "FaultProxy"]]:
    """Storage that reaches the S3 server through a proxy, and the proxy, which lets all pass until it is told."""
    from tests.fault_proxy import FaultProxy, running
    from tests.s3_server import free_port, storage_at

    with running(FaultProxy(s3.options["endpoint_url"]), port := free_port()) as proxy:
        yield storage_at(proxy.url(port)), proxy
