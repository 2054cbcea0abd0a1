"""A terminal, and what it was shown."""

import os
import pty
from collections.abc import Callable
from typing import TextIO


def shown_on_terminal(work: Callable[[TextIO], None]) -> str:
    """All that the work writes to the terminal that it is given."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
            work(terminal)
        shown = b""
        try:
            while part := screen.read(1 << 16):
                shown += part
        except OSError:  # how Linux says that the other end is closed
            pass
        return shown.decode()
