"""A running job, shown: a live line on a terminal, a quiet line now and then in a log."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from cluster.console import Console
from cluster.line_display import line_display
from pipelines.job.progress import Snapshot
from pipelines.numbers import count, duration, failures_told


class Display(Protocol):
    """Shows how far a job is: its plan in a line that stays, then its progress."""

    def begin(self, plan: str) -> None: ...

    def __call__(self, snapshot: Snapshot) -> None: ...


@contextmanager
def progress_display(console: Console) -> Iterator[Display]:
    """The display that suits the console, for the time of a job."""
    with ExitStack() as ending:
        yield _JobLine(console, ending)


class _JobLine:
    def __init__(self, console: Console, ending: ExitStack) -> None:
        self._console = console
        self._ending = ending

    def begin(self, plan: str) -> None:
        self._console.note(plan)
        self._show = self._ending.enter_context(line_display(self._console, "loading the encoder"))

    def __call__(self, snapshot: Snapshot) -> None:
        self._show(progress_line(snapshot))


def progress_line(snapshot: Snapshot) -> str:
    """One line: units, rows, rates, time left, rejects, retries of storage."""
    of = f" of {snapshot.units_planned:,}" if snapshot.units_planned is not None else ""
    parts = [f"{snapshot.units_done:,}{of} units", f"{snapshot.rows:,} rows"]
    if snapshot.rows_per_second:
        parts.append(f"{snapshot.rows_per_second:,.0f} rows/s, {snapshot.tokens_per_second:,.0f} tokens/s")
    if snapshot.seconds_left is not None:
        parts.append(f"{duration(snapshot.seconds_left)} left")
    if snapshot.rejects:
        parts.append(f"{snapshot.rejects:,} rejects")
    if snapshot.retries:
        parts.append(retries_told(snapshot.retries))
    if failures := failures_told(snapshot.units_failed, snapshot.files_failed):
        parts.append(failures)
    return " · ".join(parts)


def retries_told(retries: int) -> str:
    """How often storage had to be asked again, in words."""
    return count(retries, "retry of storage", "retries of storage")
