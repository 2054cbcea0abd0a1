"""Ray with RAY_USE_TLS, as docs/security.md has it: who has a certificate is let in, and nobody else."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray.util import get_node_ip_address

from tests.s3_server import free_port

SECONDS = 90
# How a client of gRPC begins.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
RAY = Path(sys.executable).with_name("ray")
DRIVER = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False)
print(ray.get(ray.remote(lambda: "answered").remote()))
"""


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority and a certificate of this machine."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    made = ("-newkey", "rsa:2048", "-nodes", "-keyout")
    openssl(folder, "req", "-x509", "-subj", "/CN=authority", "-days", "2", *made, "ca.key", "-out", "ca.crt")
    openssl(folder, "req", "-subj", "/CN=node", *made, "tls.key", "-out", "tls.csr")
    (folder / "names").write_text(f"subjectAltName=DNS:localhost,IP:127.0.0.1,IP:{get_node_ip_address()}")
    signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    openssl(folder, "x509", "-req", "-in", "tls.csr", *signed, "-out", "tls.crt")
    return folder


@pytest.fixture(scope="module")
def variables(certificates: Path) -> dict[str, str]:
    """What each process of such a cluster has in its environment."""
    (certificates / "token").write_text("f" * 32)
    return {
        **os.environ,
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(certificates / "tls.crt"),
        "RAY_TLS_SERVER_KEY": str(certificates / "tls.key"),
        "RAY_TLS_CA_CERT": str(certificates / "ca.crt"),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(certificates / "token"),
    }


@pytest.fixture(scope="module")
def port(variables: dict[str, str]) -> Iterator[int]:
    """Where the head of such a cluster listens."""
    port, temporary = free_port(), Path(f"/tmp/tls-{os.getpid()}")
    own = ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
    own += [f"--ray-client-server-port={free_port()}", f"--temp-dir={temporary}", "--include-dashboard=false"]
    words = ["start", "--head", "--block", f"--port={port}", "--num-cpus=1", "--object-store-memory=80000000", *own]
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, temporary, ignore_errors=True)
        log = undo.enter_context((Path(variables["RAY_TLS_CA_CERT"]).parent / "log").open("w+"))
        head = undo.enter_context(subprocess.Popen([RAY, *words], env=variables, stdout=log, stderr=log))
        undo.callback(head.terminate)
        until = time.monotonic() + SECONDS
        while not answered(port, certificate_of(variables)):
            assert head.poll() is None and time.monotonic() < until, Path(log.name).read_text()
        yield port


def certificate_of(variables: dict[str, str]) -> ssl.SSLContext:
    context = without_certificate(variables)
    context.load_cert_chain(variables["RAY_TLS_SERVER_CERT"], variables["RAY_TLS_SERVER_KEY"])
    return context


def without_certificate(variables: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=variables["RAY_TLS_CA_CERT"])
    context.set_alpn_protocols(["h2"])
    return context


def answered(port: int, context: ssl.SSLContext | None) -> bool:
    """Whether the head talks to a client of gRPC."""
    try:
        with contextlib.ExitStack() as undo:
            connection = undo.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            if context:
                connection = undo.enter_context(context.wrap_socket(connection, server_hostname="127.0.0.1"))
            connection.sendall(PREFACE)
            return bool(connection.recv(9))
    except OSError:
        return False


def test_a_driver_with_a_certificate_is_let_in(port: int, variables: dict[str, str]):
    words = [sys.executable, "-c", DRIVER, f"{get_node_ip_address()}:{port}"]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stdout.strip() == "answered", done.stderr


def test_a_client_without_a_certificate_is_not(port: int, variables: dict[str, str]):
    assert not answered(port, without_certificate(variables))


def test_a_client_that_does_not_encrypt_is_not(port: int):
    assert not answered(port, None)
