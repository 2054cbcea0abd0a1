"""`encorpus serve`: starts an application, says what becomes of it, and ends it in order when it is interrupted."""

import argparse
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster.console import Console
from cluster.serving_options import replicas_of, require_vectors, serving_of
from pipelines.errors import UsageError, first_line
from pipelines.job.cores import usable_cores
from pipelines.numbers import count
from serving.ingress import SWITCH, haproxy_environment
from serving.settings import Serving


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serves until SIGTERM or an interruption, and then answers what it has accepted."""
    serving = serving_of(arguments)
    require_vectors(serving)
    # However early it is interrupted, that is how it ends.
    with _ray(arguments, console), suppress(KeyboardInterrupt):
        _serve(serving, arguments, console)
    console.note("ended")
    return 0


def _serve(serving: Serving, arguments: argparse.Namespace, console: Console) -> None:
    """Starts the application, and ends it when it is interrupted. Until it starts, there is none of ours to end."""
    # Only now, since Ray Serve reads its environment as it is imported.
    from serving.application import application
    from serving.running import listen, require_room, start, stop

    size = replicas_of(arguments)
    require_room(arguments.name)
    console.note(f"loading and compiling {', '.join(serving.models)} in {count(max(1, size.least), 'replica')}")
    began, url = time.monotonic(), listen(arguments.host, arguments.port)
    try:
        start(application(serving, size), arguments.name)
        _tell(serving, arguments, url, began, console)
    except KeyboardInterrupt:
        console.note("ending: what was accepted is answered, and nothing more is accepted")
    finally:
        stop(arguments.name, everything=not arguments.address)


def _tell(serving: Serving, arguments: argparse.Namespace, url: str, began: float, console: Console) -> None:
    """Says what becomes of the application, without an end."""
    from serving.running import ray_address, require_answer, states

    ready = False
    for state in states(arguments.name):
        replicas = f"{count(state.running, 'replica')} ready, {state.starting} starting"
        if state.ready and not ready:
            where = ""
            if arguments.address:
                where = " on each node with a replica"  # which this machine need not be
            else:
                require_answer(f"{url}/health")
            console.print(f"{url} answers{where} for {', '.join(serving.models)}, {_who_may_ask(serving)}")
            console.print(f"a job goes by its replicas with --through {arguments.name} --address {ray_address()}")
            replicas += f", after {time.monotonic() - began:.0f} s"
            ready = True
        console.note(replicas if state.trouble is None else f"{replicas}: {state.trouble}")


def _who_may_ask(serving: Serving) -> str:
    return "without keys" if serving.keys is None else "with API keys"


@contextmanager
def _ray(arguments: argparse.Namespace, console: Console) -> Iterator[None]:
    """The cluster at the address given, or a Ray of this machine whose requests come through HAProxy."""
    from pipelines.job.session import ray_session

    if arguments.address:
        with ray_session(arguments.address, cpus=0):
            yield
        return
    _require_free_port(arguments.host, arguments.port)
    with tempfile.TemporaryDirectory(prefix="encorpus-") as folder:
        if SWITCH not in os.environ:
            try:
                os.environ.update(haproxy_environment(Path(folder)))
            except OSError as error:
                console.note(f"without HAProxy, so each request takes longer: {first_line(error)}")
        console.note("starting Ray")
        with ray_session(None, cpus=max(usable_cores(), (arguments.replicas or (0, 0))[1])):
            yield


def _require_free_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: {error.strerror or error}; choose another one") from None
