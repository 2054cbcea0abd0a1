"""A connection to a Ray of this machine that asks for its token, by its address."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVER = """
import ray
ray.init(address="local", num_cpus=0, include_dashboard=False)
print("address", ray.get_runtime_context().gcs_address, flush=True)
input()
"""

CLIENT = """
import sys
from pipelines.errors import UsageError
from pipelines.job.session import ray_session
try:
    with ray_session(sys.argv[1], 0):
        print("connected")
except UsageError as error:
    print(error)
"""


def environment(home: Path) -> dict[str, str]:
    """Ray as it is where nobody has set anything: with a token, made and kept under the home folder."""
    kept = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_MODE"}
    return kept | {"HOME": str(home), "RAY_USAGE_STATS_ENABLED": "0"}


@contextmanager
def ray_with_token(home: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=environment(home),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout
    try:
        yield next(line for line in process.stdout if line.startswith("address")).split()[1]
    finally:
        process.communicate("\n", timeout=60)


@pytest.fixture(scope="module")
def ray_asking_for_a_token(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    home = tmp_path_factory.mktemp("home")
    with ray_with_token(home) as address:
        yield address, home


def said_to_a_client(address: str, home: Path) -> str:
    client = [sys.executable, "-c", CLIENT, address]
    return subprocess.run(client, env=environment(home), capture_output=True, text=True, timeout=120).stdout


def test_who_has_the_token_connects_by_address(ray_asking_for_a_token):
    address, home = ray_asking_for_a_token
    assert said_to_a_client(address, home) == "connected\n"


def test_who_has_none_is_told_where_it_is_looked_for(ray_asking_for_a_token, tmp_path):
    address, _ = ray_asking_for_a_token
    told = said_to_a_client(address, tmp_path)
    assert told.startswith(f"--address {address}: no Ray cluster answers there, or not without its token")
    assert "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH" in told
