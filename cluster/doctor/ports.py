"""The ports that Ray and the service use by default."""

import socket
from collections.abc import Iterator, Mapping

from cluster.doctor.finding import Finding, ok, warning

ABOUT = "ports"
# With what is to be said where another one is wanted.
PORTS = {
    6379: "a Ray head (`ray start --head --port`)",
    8000: "`encorpus serve` (--port)",
    8265: "Ray's dashboard and jobs (`ray start --head --dashboard-port`)",
    10001: "Ray's client server (`ray start --head --ray-client-server-port`)",
}


def check_ports(ports: Mapping[int, str] = PORTS) -> Iterator[Finding]:
    """Whether they are free."""
    taken = [port for port in ports if not _free(port)]
    for port in taken:
        advice = "choose another one; if it is a Ray of yours that runs here, ask it: encorpus doctor --address auto"
        yield warning(ABOUT, f"{port} is taken, the default of {ports[port]}", advice)
    if not taken:
        yield ok(ABOUT, f"{', '.join(map(str, ports))} are free")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections that ended a moment ago do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
