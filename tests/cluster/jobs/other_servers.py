"""Servers that stand where a Jobs API should be."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The URL of a server that gives this answer to anything."""
    with _server(lambda path: (status, body)) as url:
        yield url


@contextmanager
def losing_what_is_sent() -> Iterator[str]:
    """The URL of a Jobs API without jobs, whose connection is lost when one is handed in."""
    bodies = {"/api/version": b'{"ray_version": "2.60.0"}', "/api/jobs/": b"[]"}
    with _server(lambda path: (200, bodies[path])) as url:
        yield url


@contextmanager
def _server(answer: Callable[[str], tuple[int, bytes]]) -> Iterator[str]:
    """answer: status and body by path, to what is asked. What is sent gets none."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.close_connection = True

        def log_message(self, format, *args):  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
