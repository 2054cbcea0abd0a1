"""A real S3 server as a process of its own, on a free port of this machine; real HTTP, real errors, no data kept."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.storage import Storage

GIVE_UP_SECONDS = 60


@contextmanager
def s3_server() -> Iterator[Storage]:
    """Storage that reaches the server, for the time of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(port, server)
        yield Storage({"key": "any", "secret": "any", "endpoint_url": f"http://127.0.0.1:{port}"})
    finally:
        server.terminate()
        server.wait()


def new_bucket(storage: Storage) -> str:
    """The URI of an empty bucket."""
    import s3fs

    name = f"bucket-{secrets.token_hex(4)}"
    s3fs.S3FileSystem(**storage.options).mkdir(name)
    return f"s3://{name}"


def _wait_until_it_answers(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the S3 server does not start")
