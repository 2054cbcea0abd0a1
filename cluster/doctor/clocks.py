"""Clocks of nodes, compared with this machine's."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cluster.doctor.finding import Finding, failure, ok, warning

ABOUT = "clock"
# Reports and logs of several nodes are read side by side.
MOST_SECONDS = 2.0
# Object stores refuse signatures that are 15 minutes off.
REFUSED_SECONDS = 900.0


class Asked(NamedTuple):
    """A node was asked for its time: when, what it told, when its answer came, in seconds since 1970."""

    sent: float
    told: float
    came: float


def seconds_off(asked: Asked) -> float:
    """How far the node's clock is ahead (or, below 0, behind), at least: it was read between `sent` and `came`.

    >>> seconds_off(Asked(10.0, 10.5, 11.0)), seconds_off(Asked(10.0, 20.0, 11.0)), seconds_off(Asked(10.0, 5.0, 11.0))
    (0.0, 9.0, -5.0)
    """
    return max(asked.told - asked.came, 0.0) + min(asked.told - asked.sent, 0.0)


def check_clocks(asked: Mapping[str, Asked]) -> Iterator[Finding]:
    """asked: by node."""
    wrong = {node: off for node, one in asked.items() if abs(off := seconds_off(one)) > MOST_SECONDS}
    for node, off in wrong.items():
        found = f"that of {node} is {abs(off):,.0f} s {'ahead' if off > 0 else 'behind'}"
        kind = failure if abs(off) > REFUSED_SECONDS else warning
        yield kind(ABOUT, found, "keep the nodes' clocks with NTP (`chronyc tracking`)")
    if asked and not wrong:
        yield ok(ABOUT, f"all nodes' within {MOST_SECONDS:.0f} s of this machine's")
