"""Names of nodes in a line: a few of them, and how many more there are."""

from collections.abc import Sequence

SHOWN_NODES = 3


def few(names: Sequence[str]) -> str:
    """'a, b', 'a, b, c and 7 more'."""
    more = f" and {len(names) - SHOWN_NODES} more" if len(names) > SHOWN_NODES else ""
    return ", ".join(names[:SHOWN_NODES]) + more
