"""Ports: free or taken."""

import socket

from cluster.doctor.ports import check_ports
from tests.s3_server import free_port


def test_a_port_that_somebody_listens_at_is_a_warning():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        (finding,) = check_ports({other.getsockname()[1]: "the test"})
    assert finding.level == "warning"


def test_free_ports_are_fine():
    (finding,) = check_ports({free_port(): "the test"})
    assert finding.level == "ok"
