"""Credentials: from the environment, renewed when they expire while a job runs, and what is said without any."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import s3fs

from pipelines.errors import StorageError, UsageError
from pipelines.storage import Storage
from tests.fault_proxy import FaultProxy, running
from tests.s3_server import NO_WAIT, free_port, new_bucket


@pytest.fixture
def bare(s3, monkeypatch, tmp_path) -> Iterator[tuple[Storage, FaultProxy, str]]:
    """Storage that is told its endpoint and nothing else, the proxy there, and an object; no credentials anywhere."""
    uri = f"{new_bucket(s3)}/a"
    s3.write_atomic(uri, b"found")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with running(FaultProxy(s3.options["endpoint_url"]), port := free_port()) as proxy:
        yield Storage({"endpoint_url": proxy.url(port)}, NO_WAIT), proxy, uri


def test_a_rewritten_credentials_file_is_read_when_the_old_key_expires(bare, tmp_path):
    storage, proxy, uri = bare
    write_profile(tmp_path, "default", "OLDKEY")
    assert storage.read_bytes(uri) == b"found"
    write_profile(tmp_path, "default", "NEWKEY")
    proxy.expired.add("OLDKEY")
    assert storage.read_bytes(uri) == b"found"
    assert storage.retries.take() == 1


def test_an_opened_file_is_read_on_with_the_new_key(bare, tmp_path, s3):
    storage, proxy, uri = bare
    write_profile(tmp_path, "default", "OLDKEY")
    s3.write_atomic(uri, bytes(1 << 20))
    with storage.open(uri) as file:
        file.read(10)
        write_profile(tmp_path, "default", "NEWKEY")
        proxy.expired.add("OLDKEY")
        assert len(file.read()) == (1 << 20) - 10


def test_keys_of_a_container_are_fetched_anew_when_they_are_refused(bare, monkeypatch):
    storage, proxy, uri = bare
    with container_credentials(["OLDKEY", "NEWKEY"]) as (url, served):
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        assert storage.read_bytes(uri) == b"found"
        proxy.expired.add("OLDKEY")
        assert storage.read_bytes(uri) == b"found"
    assert served == ["OLDKEY", "NEWKEY"]


def test_a_key_that_stays_expired_is_one_line(bare, tmp_path):
    storage, proxy, uri = bare
    write_profile(tmp_path, "default", "OLDKEY")
    assert storage.exists(uri)
    proxy.expired.add("OLDKEY")
    with pytest.raises(StorageError, match=r"^s3://.*: cannot write: The provided token has expired\., after 7 attem"):
        storage.write_atomic(uri, b"")


def test_credentials_that_cannot_be_found_for_a_while_are_waited_for(bare, tmp_path):
    storage, proxy, uri = bare
    write_profile(tmp_path, "default", "OLDKEY")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            write_profile(tmp_path, "default", "NEWKEY")

    storage = replace(storage, policy=replace(storage.policy, sleep=wait))
    assert storage.exists(uri)
    proxy.expired.add("OLDKEY")
    (tmp_path / "credentials").unlink()
    assert storage.read_bytes(uri) == b"found"
    assert len(waits) == 3


def test_a_profile_is_taken_from_the_options_or_the_environment(bare, tmp_path, monkeypatch):
    storage, proxy, uri = bare
    proxy.expired.add("WRONG")
    write_profile(tmp_path, "default", "WRONG")
    write_profile(tmp_path, "mine", "RIGHT", add=True)
    assert Storage({**storage.options, "profile": "mine"}, NO_WAIT).read_bytes(uri) == b"found"
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert storage.read_bytes(uri) == b"found"


def test_the_endpoint_and_the_key_are_taken_from_the_environment(bare, monkeypatch):
    storage, proxy, uri = bare
    monkeypatch.setenv("AWS_ENDPOINT_URL", storage.options["endpoint_url"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    assert Storage().read_bytes(uri) == b"found"
    assert proxy.requests == {"GET": 1}


def test_no_credentials_are_one_line_at_once_and_none_are_needed_for_what_is_public(bare, s3):
    storage, _, uri = bare
    s3fs.S3FileSystem(**s3.options).chmod(uri, "public-read")
    with pytest.raises(StorageError, match=f"^{uri}: cannot read: NoCredentialsError: Unable to locate credentials$"):
        storage.read_bytes(uri)
    assert Storage({**storage.options, "anon": True}, NO_WAIT).read_bytes(uri) == b"found"


@pytest.mark.parametrize(("scheme", "package"), [("gs", "gcsfs"), ("az", "adlfs"), ("abfs", "adlfs")])
def test_a_store_whose_package_is_missing_names_it(scheme, package):
    with pytest.raises(UsageError, match=rf"^{scheme}://bucket/a: .*nstall {package}"):
        Storage().exists(f"{scheme}://bucket/a")


def write_profile(folder: Path, name: str, key: str, add: bool = False) -> None:
    text = f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = any\n"
    path = folder / "credentials"
    path.write_text((path.read_text() if add else "") + text)


@contextmanager
def container_credentials(keys: list[str]) -> Iterator[tuple[str, list[str]]]:
    """A container's credentials endpoint: its URL, and the keys that it has served, one after the other."""
    left, served = list(keys), []

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = left.pop(0)
            served.append(key)
            until = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
            told = {"AccessKeyId": key, "SecretAccessKey": "any", "Token": "any", "Expiration": until}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
