"""The `encorpus` command, run in this process or as a process of its own, and what it said."""

import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cluster.cli import main

ENCORPUS = Path(sys.executable).with_name("encorpus")


@dataclass(frozen=True)
class Finished:
    """A command that came to its end."""

    status: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """The one line that it said on standard error."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self
        return lines[0]

    @property
    def last_line(self) -> str:
        """The last line on standard error: below those about the work, the one that says what is wrong."""
        return self.err.splitlines()[-1]


def encorpus(*words: str | Path) -> Finished:
    """Runs the command in this process; a job uses the Ray that this process is connected to."""
    handler = signal.getsignal(signal.SIGTERM)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, ExitStack() as undo:
        undo.callback(signal.signal, signal.SIGTERM, handler)
        undo.enter_context(redirect_stdout(undo.enter_context(_descriptor_as_file(1, out))))
        undo.enter_context(redirect_stderr(undo.enter_context(_descriptor_as_file(2, err))))
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            assert isinstance(end.code, int)
            status = end.code
        sys.stdout.flush()
        sys.stderr.flush()
        return Finished(status, _content(out), _content(err))


def encorpus_process(*words: str | Path) -> Finished:
    """Runs the installed command as a process of its own."""
    done = subprocess.run([ENCORPUS, *words], capture_output=True, text=True, timeout=120)
    return Finished(done.returncode, done.stdout, done.stderr)


@contextmanager
def _descriptor_as_file(descriptor: int, target: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """Points a standard descriptor at a file, for native code and child processes too."""
    saved = os.dup(descriptor)
    os.dup2(target.fileno(), descriptor)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", closefd=False) as file:
            yield file
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


def _content(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()
