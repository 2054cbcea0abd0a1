"""A connection to Ray for the time of a job: one of its own on this machine, or a cluster's."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

from pipelines.errors import EncorpusError, UsageError, first_line
from pipelines.job.head import ended_with_block
from pipelines.job.pool_size import OBJECT_STORE_BYTES

ANSWER_SECONDS = 10

# Each of Ray's processes, a dozen, would spend a part of a core on what nobody sees.
UNWATCHED = {"enable_metrics_collection": False, "task_events_report_interval_ms": 0}

TOKEN_ADVICE = "if it has one, set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to the file of the token"


@contextmanager
def ray_session(address: str | None, cpus: int, watched: bool = True) -> Iterator[None]:
    """Connects to the cluster at `address`, or starts Ray here with so many CPUs; disconnects at the end.

    watched: whether anybody may look at the metrics of a Ray that is started here. A connection that the caller already
    has is used and left open. Raises UsageError when nothing answers at the address.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    # Workers are what the command was started for: they have its own priority, where Ray would give them a low one.
    os.environ.setdefault("RAY_worker_niceness", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    if address:
        _require_answer(address)
        _show_token_to_this_machine(address)
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            config = None if watched else UNWATCHED
            ray.init(
                address="local",
                num_cpus=cpus,
                object_store_memory=OBJECT_STORE_BYTES,
                _system_config=config,
                **quiet,
            )
    except (ConnectionError, ValueError) as error:
        if address == "auto":
            raise UsageError("no Ray runs on this machine; name the cluster's with --address HOST:PORT") from None
        if address:
            reason = f"no Ray cluster answers there, or not without its token ({first_line(error)})"
            raise UsageError(f"--address {address}: {reason}; {TOKEN_ADVICE}") from None
        raise EncorpusError(f"Ray does not start on this machine: {first_line(error)}") from error
    if threading.current_thread() is threading.main_thread():
        # Ray puts a handler of its own in the place of the caller's.
        signal.signal(signal.SIGTERM, on_sigterm)
    with ended_with_block(ray.shutdown):
        yield


def _require_answer(address: str) -> None:
    """Ray itself would try for many minutes to reach a cluster that is not there, without a word."""
    host, port = _host_and_port(address)
    if not host:
        return  # "auto" and the like, which Ray looks up on this machine
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"--address {address}: no Ray cluster answers there ({first_line(error)})") from None


def _show_token_to_this_machine(address: str) -> None:
    """Ray shows the token that lies ready here to what it finds by itself, and to no address unless it is told to."""
    host, _ = _host_and_port(address)
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as one:
            one.bind(place)
    except OSError:
        return  # another machine's
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def _host_and_port(address: str) -> tuple[str, str]:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return host.strip("[]"), port


def nodes_with(resource: str) -> list[float]:
    """How much of a resource ("CPU", "GPU") each node of the connected cluster has."""
    return [node["Resources"].get(resource, 0.0) for node in ray.nodes() if node["Alive"]]
