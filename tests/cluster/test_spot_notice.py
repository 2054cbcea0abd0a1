"""Notices of spot machines, as the metadata services of two clouds give them. The services are imitated: a real one is
only on their machines."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cluster.spot_notice import USAGE, aws, gcp, main

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


def test_another_word_is_told_what_there_is(capsys):
    assert main(["azure"]) == 2
    assert capsys.readouterr().err.strip() == USAGE
