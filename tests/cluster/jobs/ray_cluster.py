"""A real Ray cluster behind a token: a head without work, and one node of two CPUs, as processes of their own."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from tests.s3_server import free_port

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
START_SECONDS = 120


@dataclass(frozen=True)
class RayCluster:
    """url: of its Jobs API. token: the file that holds its token."""

    url: str
    token: Path

    def environment(self, home: Path, **changes: str | None) -> dict[str, str]:
        """Of a client's machine: its own home, the token, this encorpus, and nothing that tells of a Ray."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        client = {
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "ENCORPUS_CACHE": str(home / "cache"),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        return {name: value for name, value in (kept | client | changes).items() if value is not None}


@contextmanager
def ray_cluster(folder: Path) -> Iterator[RayCluster]:
    """Runs one; its home, models and token lie in the folder."""
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    port, dashboard = free_port(), free_port()
    cluster = RayCluster(f"http://127.0.0.1:{dashboard}", token)
    # No encorpus of ours on its path: what runs there has travelled. `python` is the one that has Ray.
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = cluster.environment(folder, PYTHONPATH=None, PATH=path)
    head = ["--head", f"--port={port}", f"--dashboard-port={dashboard}", "--num-cpus=0"]
    worker = [f"--address=127.0.0.1:{port}", "--num-cpus=2"]
    with ExitStack() as stack:
        # Ray's sockets have names that are too long for pytest's folders.
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
        node = stack.enter_context(_node([*head, f"--temp-dir={temporary}"], environment))
        _wait_for(cluster, node)
        stack.enter_context(_node(worker, environment))
        yield cluster


@contextmanager
def _node(words: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    ports = [f"--{name}-port={free_port()}" for name in ("dashboard-agent-listen", "metrics-export")]
    memory = ["--object-store-memory=100000000", "--disable-usage-stats", "--block"]
    command = [str(BIN / "ray"), "start", *words, *ports, *memory]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        family = [process, *psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
        for member in family:
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
        process.wait()


def _wait_for(cluster: RayCluster, node: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    headers = {"Authorization": f"Bearer {cluster.token.read_text()}"}
    while True:
        assert node.poll() is None and time.monotonic() < deadline
        try:
            requests.get(f"{cluster.url}/api/jobs/", headers=headers, timeout=10).raise_for_status()
            return
        except requests.RequestException:
            time.sleep(0.2)
