"""Files of a web server: with ranges they are read as any object, without ranges as far as that goes."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines import filesystems
from pipelines.errors import StorageError
from pipelines.storage import RetryPolicy, Storage
from tests.s3_server import NO_WAIT

STORAGE = Storage(policy=NO_WAIT)


class WithoutRanges(SimpleHTTPRequestHandler):
    """The standard library's, which sends whole files only."""

    def log_message(self, *arguments: object) -> None:
        pass


class WithRanges(WithoutRanges):
    """Sends the part of a file that is asked for."""

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "").removeprefix("bytes=")
        if not asked:
            super().do_GET()
            return
        data = Path(self.translate_path(self.path)).read_bytes()
        start, _, last = asked.partition("-")
        part = data[int(start) : int(last or len(data)) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


@pytest.fixture(params=[WithRanges, WithoutRanges])
def web(request, tmp_path) -> Iterator[tuple[type, str]]:
    """The kind of server, and the URL of a folder with files of 3 bytes and of 1 MiB."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "small.txt").write_bytes(b"abc")
    (tmp_path / "folder" / "large.txt").write_bytes(bytes(1 << 20))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(request.param, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield request.param, f"http://127.0.0.1:{server.server_port}/folder"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_of_links_is_a_folder_and_its_files_have_their_sizes(web):
    _, url = web
    found = [(entry.uri, entry.size) for entry in STORAGE.list_files(f"{url}/")]
    assert found == [(f"{url}/large.txt", 1 << 20), (f"{url}/small.txt", 3)]


def test_a_file_is_read_and_one_that_is_not_there_is_none(web):
    _, url = web
    assert STORAGE.read_bytes(f"{url}/small.txt") == b"abc"
    entry = STORAGE.entry(f"{url}/small.txt")
    assert entry is not None and entry.version
    assert STORAGE.entry(f"{url}/nowhere.txt") is None


def test_parts_of_a_file_are_read_where_the_server_gives_parts(web):
    kind, url = web
    with STORAGE.open(f"{url}/large.txt") as file:
        if kind is WithRanges:
            file.seek(1000)
            assert len(file.read()) == (1 << 20) - 1000
        else:
            with pytest.raises(StorageError, match=rf"^{url}/large.txt: cannot read: .*the server gives no parts of"):
                file.read(1000)


def test_a_server_that_is_not_there_is_no_missing_file(web):
    with pytest.raises(StorageError, match=r"^http://127.0.0.1:9/a: cannot look at: .*, after 7 attempts$"):
        STORAGE.exists("http://127.0.0.1:9/a")


class Trickling(WithoutRanges):
    """Sends a byte now and then, never so seldom that it is silent."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with suppress(OSError):
            while not self.server.ended.wait(0.1):  # type: ignore[attr-defined]
                self.wfile.write(b" ")


@pytest.fixture
def trickling(monkeypatch) -> Iterator[str]:
    """The URL of such a server, which is waited for no longer than a second and a half."""
    monkeypatch.setattr(filesystems, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(filesystems, "SILENT_SECONDS", 1)
    monkeypatch.setattr(filesystems, "SLOWEST_BYTES_A_SECOND", 1 << 40)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trickling)
    server.ended = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.ended.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("store", ["web", "s3"])
@pytest.mark.parametrize(
    "read",
    [Storage.read_bytes, lambda storage, uri: storage.read_range(uri, 0, 1000), Storage.names, Storage.list_files],
    ids=["read_bytes", "read_range", "names", "list_files"],
)
def test_a_server_that_gives_a_byte_now_and_then_is_not_read_for_ever(trickling, store, read):
    options = {"endpoint_url": trickling, "anon": True} if store == "s3" else {}
    storage = Storage(options, RetryPolicy(attempts=2, first_wait=0))
    uri = "s3://bucket/a" if store == "s3" else f"{trickling}/a"
    with pytest.raises(StorageError, match=r"/a: cannot (read|list): .*after 2 attempts$"):
        read(storage, uri)
