"""Notices of spot machines, as the metadata services of two clouds give them. The services are imitated: a real one is
only on their machines."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cluster import spot_notice
from cluster.spot_notice import USAGE, aws, drained, gcp, main

TOKEN = "a token of the service"


@contextmanager
def service(answers: dict[str, str]) -> Iterator[str]:
    """Answers by path: to AWS's paths with its token alone, to Google's with its header."""

    class Answers(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(TOKEN if self.headers["X-aws-ec2-metadata-token-ttl-seconds"] else None)

        def do_GET(self) -> None:
            known = self.headers["X-aws-ec2-metadata-token"] == TOKEN or self.headers["Metadata-Flavor"] == "Google"
            self._answer(answers.get(self.path) if known else None)

        def _answer(self, text: str | None) -> None:
            self.send_response(404 if text is None else 200)
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_aws_says_when_the_machine_is_taken_away():
    end = datetime.now(UTC) + timedelta(seconds=100)
    notice = json.dumps({"action": "terminate", "time": end.strftime("%Y-%m-%dT%H:%M:%SZ")})
    with service({"/meta-data/spot/instance-action": notice}) as address:
        assert aws(address) == pytest.approx(100, abs=5)


def test_google_gives_half_a_minute():
    with service({"/instance/preempted": "TRUE"}) as address:
        assert gcp(address) == 30


@pytest.mark.parametrize(("source", "answers"), [(aws, {}), (gcp, {"/instance/preempted": "FALSE"})])
def test_without_a_notice_there_is_nothing_to_do(source, answers):
    with service(answers) as address:
        assert source(address) is None


@pytest.mark.parametrize("source", [aws, gcp])
def test_a_service_that_does_not_answer_is_asked_again_later(source):
    with service({}) as address:
        pass
    assert source(address) is None


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """A server that gives these bytes to whoever connects, the first and the last one alike."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("source", [aws, gcp])
@pytest.mark.parametrize(
    "answer",
    [b"what\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n\xff", b"HTTP/1.0 200 OK\r\n\r\n{", b"HTTP/1.0 200 OK\r\n\r\n{}"],
)
def test_an_answer_that_nobody_understands_is_none(source, answer):
    with saying(answer) as address:
        assert source(address) is None


class Head:
    """Drains the node at the third attempt. left: what it was told each time."""

    def __init__(self) -> None:
        self.left: list[float] = []

    def drain(self, seconds: float) -> str:
        self.left.append(seconds)
        if len(self.left) < 3:
            raise ConnectionError("no answer")
        return "the node"


def test_a_head_that_is_away_for_a_moment_is_asked_again(monkeypatch):
    monkeypatch.setattr(spot_notice, "POLL_SECONDS", 0)
    head = Head()
    assert drained(100, patience=60, drain=head.drain) == "the node"
    assert len(head.left) == 3
    assert 100 > head.left[0] > head.left[1] > head.left[2]


def test_a_head_that_is_away_for_good_is_asked_no_longer_than_that():
    head = Head()
    with pytest.raises(ConnectionError):
        drained(100, patience=0, drain=head.drain)
    assert len(head.left) == 1


def test_another_word_is_told_what_there_is(capsys):
    assert main(["azure"]) == 2
    assert capsys.readouterr().err.strip() == USAGE
