"""What a command is at, shown in a line: one that changes in place on a terminal, one now and then in a log."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.live import Live
from rich.spinner import Spinner

from cluster.console import Console

QUIET_SECONDS = 30

# After so long without anything new, that is said.
STILL_SECONDS = 300


@contextmanager
def line_display(console: Console, first: str) -> Iterator[Callable[[str], None]]:
    """A function that shows a line, for the time of some work. first: what is shown until it is called.

    On a terminal the line is gone at the end. Where work stands still, the last line comes again and says so.
    """
    with _place(console, first) as show:
        line = _Line(show, first)
        try:
            yield line
        finally:
            line.stop()


@contextmanager
def _place(console: Console, first: str) -> Iterator[Callable[[str], None]]:
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


class _Line:
    """Shows lines, and the last one again when nothing new has come for long."""

    def __init__(self, show: Callable[[str], None], first: str) -> None:
        self._show = show
        self._last = first
        self._since = time.monotonic()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __call__(self, line: str) -> None:
        with self._changed:
            self._last, self._since = line, time.monotonic()
            self._show(line)
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        with self._changed:
            while not self._stopped:
                if not self._changed.wait(STILL_SECONDS):
                    minutes = (time.monotonic() - self._since) / 60
                    self._show(f"{self._last} · nothing new for {minutes:.0f} min")
