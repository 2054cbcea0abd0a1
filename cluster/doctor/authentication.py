"""Who may run code on Ray here: token authentication, its token's file, the dashboard's door."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cluster.doctor.finding import Finding, failure, ok, warning

ABOUT = "access"
DASHBOARD_PORT = 8265
LISTENING = "0A"
SOCKETS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
# In /proc/net: 127.x.x.x, ::1 and ::ffff:127.x.x.x, in the machine's byte order.
LOOPBACK = re.compile(r"[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F")


def check_authentication(environment: Mapping[str, str], on_a_cluster: bool) -> Iterator[Finding]:
    """Whether only those with the token run code, and nobody else reads the token."""
    mode = environment.get("RAY_AUTH_MODE", "")
    turn_on = "export RAY_AUTH_MODE=token before every `ray start`; docs/security.md says how the token gets there"
    if mode == "token":
        yield ok(ABOUT, "Ray asks for a token")
    elif on_a_cluster:
        found = "Ray asks for no token: whoever reaches its ports runs code here"
        yield warning(ABOUT, found, turn_on)
    elif mode == "disabled":
        found = "RAY_AUTH_MODE=disabled: whoever reaches the ports of a Ray that starts here runs code"
        yield warning(ABOUT, found, "unset it, or export RAY_AUTH_MODE=token")
    else:
        yield ok(ABOUT, "a job's own Ray asks for a token")
    yield from check_token_file(token_file(environment))


def token_file(environment: Mapping[str, str]) -> Path:
    """Where Ray looks for its token."""
    return Path(environment.get("RAY_AUTH_TOKEN_PATH") or Path("~/.ray/auth_token").expanduser())


def check_token_file(path: Path) -> Iterator[Finding]:
    """Whether others can read the token."""
    try:
        status = path.stat()
    except OSError:
        return  # none, or in the environment
    others = status.st_mode & 0o077
    # A mounted secret belongs to root and has a mode of its own.
    if others and status.st_uid == os.getuid():
        # As Ray itself makes it under the usual umask.
        found = f"others may read Ray's token: {path} has mode {status.st_mode & 0o777:o}"
        yield warning(ABOUT, found, f"chmod 600 {path}; where others use this machine, make a new token")


def check_dashboard(environment: Mapping[str, str], sockets: str | None = None) -> Iterator[Finding]:
    """Whether strangers reach the dashboard, by which jobs are submitted. sockets: as in /proc/net/tcp; None: these."""
    if sockets is None:
        sockets = "".join(path.read_text() for path in SOCKETS if path.exists())
    open_to_all = any(not LOOPBACK.fullmatch(address) for address in _listening(sockets, DASHBOARD_PORT))
    if open_to_all and environment.get("RAY_AUTH_MODE") != "token":
        found = f"port {DASHBOARD_PORT}, the dashboard's, listens on more than loopback, and asks for no token"
        yield failure(ABOUT, found, "start the head with --dashboard-host 127.0.0.1 and RAY_AUTH_MODE=token")


def _listening(sockets: str, port: int) -> Iterator[str]:
    """The addresses, in hexadecimal digits, at which a port is listened to."""
    for line in sockets.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == LISTENING:
            address, _, number = fields[1].partition(":")
            if int(number, 16) == port:
                yield address
