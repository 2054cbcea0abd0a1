"""What a command is at, shown in a line: one that changes in place on a terminal, one now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.live import Live
from rich.spinner import Spinner

from cluster.console import Console

QUIET_SECONDS = 30


@contextmanager
def line_display(console: Console, first: str) -> Iterator[Callable[[str], None]]:
    """A function that shows a line, for the time of some work. first: what a terminal shows until it is called.

    On a terminal the line is gone at the end.
    """
    if not console.interactive:
        yield _QuietLines(console)
        return
    spinner = Spinner("dots", first)
    with Live(spinner, console=RichConsole(file=console.err), refresh_per_second=8, transient=True):
        yield lambda line: spinner.update(text=line)


class _QuietLines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = time.monotonic() + QUIET_SECONDS

    def __call__(self, line: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + QUIET_SECONDS
            self._console.note(line)
