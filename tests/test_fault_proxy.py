"""The proxy itself: a client that is killed leaves no trace of an error."""

import socket
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiohttp import web

from tests.fault_proxy import FaultProxy, running
from tests.s3_server import free_port

AS_A_KILLED_PROCESS = struct.pack("ii", 1, 0)  # closed at once, whatever is on its way


class Watched(FaultProxy):
    """began, ended: whether it began and ended to handle a request."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.began = threading.Event()
        self.ended = threading.Event()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.began.set()
        try:
            return await super()._handle(request)
        finally:
            self.ended.set()


@pytest.fixture
def upstream(tmp_path):
    """The URL of a server with a file of 50 MiB."""
    (tmp_path / "a").write_bytes(bytes(50 << 20))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000),
        (b"PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf", 0),
    ],
    ids=["while it reads", "while it writes"],
)
def test_a_client_that_is_killed_is_let_go_quietly(upstream, caplog, sent, received):
    proxy = Watched(upstream)
    with running(proxy, port := free_port()):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(sent)
        client.recv(received)
        assert proxy.began.wait(10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AS_A_KILLED_PROCESS)
        client.close()
        assert proxy.ended.wait(10)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
