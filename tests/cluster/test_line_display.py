"""What a command is at, shown: a line that lives on a terminal, and a rare one in a log."""

import io
import threading
from pathlib import Path
from typing import TextIO

import pytest

from cluster import line_display as module
from cluster.console import Console
from cluster.line_display import line_display
from tests.cluster.terminal import shown_on_terminal


@pytest.fixture
def log() -> Console:
    """A console that is no terminal."""
    return Console(io.StringIO(), io.StringIO(), Path("log"))


def test_a_log_gets_no_line_before_its_time(log):
    with line_display(log, "reading") as show:
        show("1 of 9 shards")
    assert log.err.getvalue() == ""


def test_a_log_gets_one_line_each_time_its_time_has_come(log, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    with line_display(log, "reading") as show:
        for now in (1029.0, 1030.0, 1031.0, 1059.0, 1061.0):
            show(f"{now:.0f} shards")
    assert log.err.getvalue().splitlines() == ["1030 shards", "1061 shards"]


def test_a_terminal_shows_a_line_that_changes_in_place_and_goes():
    def work(terminal: TextIO) -> None:
        with line_display(Console(io.StringIO(), terminal, Path("log")), "reading the plan") as show:
            show("7 of 9 shards")

    shown = shown_on_terminal(work)
    assert "reading the plan" in shown
    assert shown.rindex("\x1b[2K") > shown.rindex("7 of 9 shards")


def test_work_that_stands_still_says_so(log, monkeypatch):
    monkeypatch.setattr(module, "QUIET_SECONDS", 0)
    monkeypatch.setattr(module, "STILL_SECONDS", 0.01)
    said = threading.Event()
    due = "7 shards · nothing new for 0 min"
    monkeypatch.setattr(Console, "note", lambda self, line: said.set() if line == due else None)
    with line_display(log, "reading") as show:
        show("7 shards")
        assert said.wait(timeout=30)
