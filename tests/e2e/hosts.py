"""Several hosts on one machine: network namespaces on a bridge, each with an address, processes, a Ray and a cache of
its own.

Needs the right to make namespaces, and iproute2. Only processes of these namespaces are ever killed.
"""

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GIVE_UP_SECONDS = 120
RAY_PORT, DASHBOARD_PORT = 6379, 8265
# A host that does not answer is dead after 18 s at most: before others take over what it has in hand.
IMPATIENT = {"RAY_health_check_timeout_ms": "3000", "RAY_health_check_failure_threshold": "3"}
RAY = str(Path(sys.executable).with_name("ray"))


def why_not() -> str | None:
    """Why this machine can have no hosts; None where it can."""
    name = f"probe-{secrets.token_hex(2)}"
    try:
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        return "iproute2 is not installed"
    except subprocess.CalledProcessError as error:
        return f"no right to make network namespaces: {error.stderr.strip()}"
    _ip("netns", "del", name)
    return None


@dataclass
class Host:
    """A network namespace, and one of processes while it is up. folder: what would be its disk. environment: of all
    its processes."""

    namespace: str
    address: str
    folder: Path
    environment: Mapping[str, str]
    _first: subprocess.Popen[bytes] | None = None
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str, log: str = "log", **environment: str) -> subprocess.Popen[bytes]:
        """Starts a command there; its output goes to a file of its folder."""
        with (self.folder / log).open("ab") as sink:
            process = subprocess.Popen(
                [*self._inside(), *command],
                env={**os.environ, **self.environment, **environment},
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command there to its end."""
        return subprocess.run(
            [*self._inside(), *command],
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=GIVE_UP_SECONDS,
        )

    def _inside(self) -> list[str]:
        """What runs a command there. A driver looks for its own raylet among the processes that it sees."""
        if self._first is None:
            forever = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child", "sleep", "infinity"]
            self._first = subprocess.Popen(["ip", "netns", "exec", self.namespace, *forever])
        children = Path(f"/proc/{self._first.pid}/task/{self._first.pid}/children")
        while not (child := children.read_text().split()):
            time.sleep(0.01)
        return ["nsenter", "--target", child[0], "--net", "--pid", "--mount"]

    def start_head(self) -> None:
        """Ray's head, without work, and waits until it listens."""
        options = "--head", f"--port={RAY_PORT}", f"--dashboard-port={DASHBOARD_PORT}", "--num-cpus=0"
        self._start_ray(*options, **IMPATIENT)
        self.wait_for_port(RAY_PORT)

    def join(self, head: "Host", cpus: int = 1) -> None:
        """A raylet of the head's cluster."""
        self._start_ray(f"--address={head.address}:{RAY_PORT}", f"--num-cpus={cpus}")

    def _start_ray(self, *options: str, **environment: str) -> None:
        self.start(
            *(RAY, "start", "--block", f"--node-ip-address={self.address}", "--object-store-memory=100000000"),
            *("--disable-usage-stats", f"--temp-dir={self.folder}/ray", *options),
            log="ray.log",
            **environment,
        )

    def wait_for_port(self, port: int, address: str | None = None) -> None:
        """Returns when something listens there; at its own address unless told."""
        address = address or self.address
        deadline = time.monotonic() + GIVE_UP_SECONDS
        code = f"import socket; socket.create_connection(('{address}', {port}), 1)"
        while self.run(sys.executable, "-c", code).returncode:
            if time.monotonic() > deadline or any(process.poll() is not None for process in self._started):
                logs = "".join(path.read_text(errors="replace") for path in self.folder.glob("*log"))
                raise RuntimeError(f"nothing listens at {address}:{port}: {logs}")

    def die(self) -> None:
        """As when the power goes: with the first of its processes, the kernel kills all others."""
        if self._first:
            self._first.kill()
            self._first.wait()
            self._first = None
        for process in self._started:
            process.wait()
        self._started.clear()

    def cut(self) -> None:
        """Pulls its cable."""
        _ip("-n", self.namespace, "link", "set", "eth0", "down")

    def mend(self) -> None:
        """Plugs it in again."""
        _ip("-n", self.namespace, "link", "set", "eth0", "up")
        _ip("-n", self.namespace, "route", "replace", "default", "via", "10.77.0.254")


@contextlib.contextmanager
def hosts(folder: Path, count: int, environment: Mapping[str, str] | None = None) -> Iterator[Sequence[Host]]:
    """So many hosts that reach each other, and nothing else. All share Ray's token, in a file of `folder`."""
    tag = secrets.token_hex(2)
    switch = f"encorpus-{tag}"
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    shared = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **(environment or {}),
    }
    made: list[Host] = []
    _ip("netns", "add", switch)
    try:
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        # As they are made: those before one that fails are taken away, too.
        made.extend(_host(folder / f"host{number}", switch, number, shared) for number in range(1, count + 1))
        yield made
    finally:
        for host in made:
            host.die()
            _ip("netns", "del", host.namespace)
        _ip("netns", "del", switch)


def _host(folder: Path, switch: str, number: int, shared: Mapping[str, str]) -> Host:
    """A namespace whose eth0 is plugged into the switch."""
    folder.mkdir()
    name, address = f"{switch}-{number}", f"10.77.0.{number}"
    _ip("netns", "add", name)
    _ip("-n", switch, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("-n", switch, "link", "set", f"port{number}", "master", "bridge", "up")
    _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
    _ip("-n", name, "link", "set", "eth0", "up")
    _ip("-n", name, "link", "set", "lo", "up")
    # It leads nowhere, but by it a process finds out which address is its host's.
    _ip("-n", name, "route", "add", "default", "via", "10.77.0.254")
    own = {"HOME": str(folder), "ENCORPUS_CACHE": str(folder / "cache"), "RAY_TMPDIR": str(folder)}
    return Host(name, address, folder, {**shared, **own})


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout
