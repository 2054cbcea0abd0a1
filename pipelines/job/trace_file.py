"""A trace of a run in Chrome's Trace Event Format, which Perfetto and chrome://tracing open.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU describes the format: complete events
("X") of whole microseconds, in a lane ("tid") of a process ("pid"), and metadata ("M") that name them.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipelines.errors import UsageError
from pipelines.job.spans import DRIVER, MAIN_LANE, Span
from pipelines.local_files import local_path

HEAD, BETWEEN, END = b'{"displayTimeUnit":"ms","traceEvents":[\n', b",\n", b"\n]}\n"


class TraceFile:
    """Writes each span as it comes, and keeps none. After each, the file is JSON as it stands.

    error: why it could not be written to its end; None where it could.
    """

    def __init__(self, descriptor: int, started: float) -> None:
        """started: seconds since 1970, the trace's zero."""
        self.error: str | None = None
        self._descriptor = descriptor
        self._started = started
        self._processes: dict[str, int] = {}
        self._lanes: set[tuple[int, int]] = set()
        self._size = 0
        self._write(HEAD + BETWEEN.join(map(_line, self._names(DRIVER, MAIN_LANE))))

    def __call__(self, span: Span) -> None:
        """Writes a span. A disk that is full ends the trace, and never the run."""
        process = self._processes.get(span.process, len(self._processes) + 1)
        start, stop = (round((seconds - self._started) * 1e6) for seconds in (span.start, span.stop))
        event = {"name": span.name, "cat": "encorpus", "ph": "X", "ts": start, "dur": stop - start}
        event |= {"pid": process, "tid": span.lane + 1, "args": dict(span.details)}
        self._write(b"".join(BETWEEN + _line(each) for each in (*self._names(span.process, span.lane), event)))

    def _names(self, name: str, lane: int) -> Iterator[dict[str, object]]:
        """What names a process and its lane, the first time that they come."""
        if name not in self._processes:
            self._processes[name] = process = len(self._processes) + 1
            yield _named("process_name", process, 1, name=name if name == DRIVER else f"worker {name}")
            yield _named("process_sort_index", process, 1, sort_index=process)
        process = self._processes[name]
        if (process, lane) not in self._lanes:
            self._lanes.add((process, lane))
            yield _named("thread_name", process, lane + 1, name="main" if lane == MAIN_LANE else f"thread {lane}")

    def _write(self, data: bytes) -> None:
        if self.error is not None:
            return
        try:
            if os.pwrite(self._descriptor, data + END, self._size) == len(data + END):
                self._size += len(data)
                return
            self.error = "there is no room for all of it"
        except OSError as error:
            self.error = error.strerror or str(error)
        self._end_where_it_was()

    def _end_where_it_was(self) -> None:
        """A part of what was to come may stand where the end did, for which there was room before."""
        with suppress(OSError):
            os.pwrite(self._descriptor, END, self._size)
            os.ftruncate(self._descriptor, self._size + len(END))


@contextmanager
def trace_file(file: str, started: float) -> Iterator[TraceFile]:
    """A trace that has its name at the end of the context, however that comes; until then it has a hidden one beside.

    Raises UsageError where no such file can be written, before anything else is done.
    """
    path = local_path(file)
    if path is None:
        raise UsageError(f"--profile {file}: name a file on this machine's disk")
    # What a link leads to is replaced, and not the link.
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise UsageError(f"--profile {file}: a folder or device is there; name a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
    except OSError as error:
        raise UsageError(f"--profile {file}: cannot be written: {error.strerror}") from None
    trace = TraceFile(descriptor, started)
    try:
        yield trace
    finally:
        try:
            os.close(descriptor)
            temporary.replace(path)
        except OSError as error:
            trace.error = error.strerror or str(error)


def _named(what: str, process: int, thread: int, **named: object) -> dict[str, object]:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "args": named}


def _line(event: dict[str, object]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()
