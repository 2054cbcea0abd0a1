"""What the user sees: our own lines, and nothing of what libraries print, which goes to a log file."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pipelines.cache_folder import cache_folder
from pipelines.visible_text import visible

LOGS_KEPT = 50


@dataclass(frozen=True)
class Console:
    """out: results, the real standard output. err: progress and errors. log: where the libraries' chatter goes."""

    out: TextIO
    err: TextIO
    log: Path

    @property
    def interactive(self) -> bool:
        """Whether progress is watched by a person."""
        return self.err.isatty()

    def print(self, line: str = "") -> None:
        """Prints a line of the result, which may hold texts of strangers."""
        _print_while_read(line, self.out)

    def note(self, line: str) -> None:
        """Prints a line about the work, which may hold texts of strangers."""
        _print_while_read(line, self.err)


@contextmanager
def quiet_console(command: str) -> Iterator[Console]:
    """Points this process's standard output and error, native code's too, at a log file for the time of a command."""
    log = _log_file(command)
    _open_if_closed(1)
    _open_if_closed(2)
    _flush_python()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    err = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace")
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    try:
        yield Console(out, err, log)
    finally:
        _flush_python()
        out.flush()
        err.flush()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)


def _open_if_closed(descriptor: int) -> None:
    """A stream that the caller closed leads nowhere, instead of into the next file that happens to be opened."""
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def _flush_python() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as it is where the caller closed it
            stream.flush()


def _print_while_read(line: str, stream: TextIO) -> None:
    """Prints, until the reader of a pipe goes away; the work and its exit status do not depend on being watched."""
    try:
        print(visible(line), file=stream, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _log_file(command: str) -> Path:
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{command}-{os.getpid()}.log"
    try:
        folder = cache_folder() / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("*.log"))[:-LOGS_KEPT]:
            old.unlink(missing_ok=True)
        (folder / name).touch(mode=0o600)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="encorpus-logs-"))
    return folder / name
