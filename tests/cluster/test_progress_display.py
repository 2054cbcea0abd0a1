"""A running job, shown: one line of how far it is, live on a terminal and rarely in a log."""

import io
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pytest

from cluster.console import Console
from cluster.progress_display import progress_display, progress_line
from pipelines.job.progress import Snapshot
from tests.cluster.terminal import shown_on_terminal

START = Snapshot(
    units_done=0,
    units_planned=None,
    units_failed=0,
    rows=0,
    rejects=0,
    rows_per_second=0.0,
    tokens_per_second=0.0,
    seconds_left=None,
)
MIDDLE = replace(START, units_done=1200, units_planned=4800, rows=1_200_000)


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        (START, "0 units · 0 rows"),
        (MIDDLE, "1,200 of 4,800 units · 1,200,000 rows"),
        (replace(START, units_planned=0), "0 of 0 units · 0 rows"),
        (
            replace(MIDDLE, rows_per_second=1234.5, tokens_per_second=56_789.0),
            "1,200 of 4,800 units · 1,200,000 rows · 1,234 rows/s, 56,789 tokens/s",
        ),
        (replace(MIDDLE, seconds_left=200.0), "1,200 of 4,800 units · 1,200,000 rows · 3 min 20 s left"),
        (replace(MIDDLE, seconds_left=0.0), "1,200 of 4,800 units · 1,200,000 rows · 0 s left"),
        (replace(MIDDLE, rejects=1000), "1,200 of 4,800 units · 1,200,000 rows · 1,000 rejects"),
        (replace(MIDDLE, retries=1), "1,200 of 4,800 units · 1,200,000 rows · 1 retry of storage"),
        (replace(MIDDLE, retries=1200), "1,200 of 4,800 units · 1,200,000 rows · 1,200 retries of storage"),
        (replace(MIDDLE, units_failed=2), "1,200 of 4,800 units · 1,200,000 rows · 2 units failed"),
        (
            replace(MIDDLE, files_failed=1),
            "1,200 of 4,800 units · 1,200,000 rows · 1 file could not be read on",
        ),
    ],
)
def test_the_line_says_what_is_known(snapshot, line):
    assert progress_line(snapshot) == line


@pytest.fixture
def streams():
    """Standard output and error that are no terminal."""
    return io.StringIO(), io.StringIO()


def quiet(streams):
    """A console over them."""
    out, err = streams
    return Console(out, err, Path("log"))


def test_results_are_not_mixed_with_progress(streams):
    with progress_display(quiet(streams)) as show:
        show.begin("1 file")
        show(MIDDLE)
    assert [stream.getvalue() for stream in streams] == ["", "1 file\n"]


def test_a_terminal_shows_a_line_that_lives_and_goes():
    def work(terminal: TextIO) -> None:
        with progress_display(Console(io.StringIO(), terminal, Path("log"))) as show:
            show.begin("1 file")
            show(replace(MIDDLE, rows=7))

    shown = shown_on_terminal(work)
    assert shown.startswith("1 file\r\n")
    assert "loading the encoder" in shown
    assert "1,200 of 4,800 units · 7 rows" in shown
    assert shown.rindex("\x1b[2K") > shown.rindex("1,200 of 4,800 units")
