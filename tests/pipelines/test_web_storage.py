"""Files of a web server: with ranges they are read as any object, without ranges as far as that goes."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines import filesystems
from pipelines.errors import StorageError, UsageError
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


@contextmanager
def serving(kind: type[WithoutRanges], folder: Path) -> Iterator[ThreadingHTTPServer]:
    """A server of the folder, in threads of this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(params=[WithRanges, WithoutRanges])
def web(request, tmp_path) -> Iterator[tuple[type, str]]:
    """The kind of server, and the URL of a folder with files of 3 bytes and of 1 MiB."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "small.txt").write_bytes(b"abc")
    (tmp_path / "folder" / "large.txt").write_bytes(bytes(1 << 20))
    with serving(request.param, tmp_path) as server:
        yield request.param, f"http://127.0.0.1:{server.server_port}/folder"


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


def test_a_file_is_an_input(web):
    _, url = web
    (found,) = STORAGE.list_files(f"{url}/small.txt")
    assert found[:2] == (f"{url}/small.txt", 3)


@pytest.mark.parametrize("what", ["a.txt", "folder/", "folder/*.txt"])
def test_a_server_that_is_not_there_is_no_empty_folder(what):
    with pytest.raises(StorageError, match=r"^http://127.0.0.1:9/.*: cannot list: .*, after 7 attempts$"):
        STORAGE.list_files(f"http://127.0.0.1:9/{what}")


@pytest.mark.parametrize("what", ["folder/", "folder/*.txt"])
def test_a_folder_that_is_not_there_holds_no_files(web, what):
    _, url = web
    with pytest.raises(UsageError, match="no files there"):
        STORAGE.list_files(f"{url}/nowhere/{what}")


class Breaking(WithoutRanges):
    """Resets the connections of the first requests for the folder `inner`: as many as the server's `breaks`."""

    def do_GET(self) -> None:
        if self.path.rstrip("/").endswith("inner") and self.server.breaks:  # type: ignore[attr-defined]
            self.server.breaks -= 1  # type: ignore[attr-defined]
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        super().do_GET()


@pytest.fixture
def breaking(tmp_path) -> Iterator[tuple[ThreadingHTTPServer, str]]:
    """Such a server, and the URL of a folder with `a.txt` and `inner/b.txt`."""
    for name in ("folder/a.txt", "folder/inner/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"abc")
    with serving(Breaking, tmp_path) as server:
        server.breaks = 0  # type: ignore[attr-defined]
        yield server, f"http://127.0.0.1:{server.server_port}/folder"


@pytest.mark.parametrize("what", ["", "**/*.txt", "*"])
def test_a_listing_that_breaks_in_an_inner_folder_is_made_again(breaking, what):
    server, url = breaking
    server.breaks = 3  # the library makes the first one again by itself
    found = [entry.uri for entry in STORAGE.list_files(f"{url}/{what}")]
    assert found == [f"{url}/a.txt", f"{url}/inner/b.txt"]


@pytest.mark.parametrize("what", ["", "**/*.txt", "*"])
def test_an_inner_folder_that_cannot_be_listed_is_no_empty_one(breaking, what):
    server, url = breaking
    server.breaks = 1000
    with pytest.raises(StorageError, match=r"cannot list: .*, after 7 attempts$"):
        STORAGE.list_files(f"{url}/{what}")


def test_a_link_to_a_folder_that_is_not_there_is_not_passed_over(breaking, tmp_path):
    _, url = breaking
    (tmp_path / "folder" / "index.html").write_text('<a href="a.txt">a</a> <a href="gone/">gone</a>')
    with pytest.raises(StorageError, match=r"/folder/: cannot list: .*gone"):
        STORAGE.list_files(f"{url}/")


class Forbidding(WithoutRanges):
    """Lets nobody in."""

    def send_head(self) -> None:
        self.send_error(403)


def test_a_file_that_may_not_be_seen_is_not_gone(tmp_path):
    with serving(Forbidding, tmp_path) as server, pytest.raises(StorageError, match=r"a: cannot look at: .*Forbidden"):
        STORAGE.entry(f"http://127.0.0.1:{server.server_port}/a")


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
