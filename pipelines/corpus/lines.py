"""Bytes become lines, each with the byte offset at which it starts.

A line ends with a line feed, or with the file. A byte order mark at the file's start belongs to no line's content.
"""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from pipelines.corpus.plan_types import CorpusFile
from pipelines.errors import InputChangedError
from pipelines.storage import Storage

MAX_LINE_BYTES = 64 << 20
LINE_TOO_LONG = f"line is longer than {MAX_LINE_BYTES >> 20} MiB"
PREFIX_BYTES = 1024  # of a line that is only shown
PIECE_BYTES = 1 << 20
FIRST_EXTENSION_BYTES = 1 << 16
MAX_EXTENSION_BYTES = 8 << 20


class Line(NamedTuple):
    """content: without its line feed. whole: False for a line over MAX_LINE_BYTES, of which content is the start."""

    offset: int
    content: bytes
    whole: bool


def split_lines(chunks: Iterable[bytes], offset: int = 0, stop: int | None = None) -> Iterator[Line]:
    """The lines of a stream that starts at `offset`, up to the last that starts before `stop`.

    Takes no more chunks than these lines need, and holds no more than MAX_LINE_BYTES and a chunk.
    """
    start, size = offset, 0
    parts: list[bytes] = []
    over = False
    if stop is not None and start >= stop:
        return
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        parts.append(first)
        size += len(first)
        if size > MAX_LINE_BYTES:
            if not over:
                yield Line(start, b"".join(parts)[:PREFIX_BYTES], whole=False)
            over = True
            parts.clear()
        if others:
            if not over:
                yield Line(start, _without_mark(start, b"".join(parts)), whole=True)
            start, over = start + size + 1, False
            for content in others[:-1]:
                if stop is not None and start >= stop:
                    return
                yield Line(start, content, whole=True)
                start += len(content) + 1
            parts, size = [others[-1]], len(others[-1])
        if stop is not None and start >= stop:
            return
    if not over and (content := _without_mark(start, b"".join(parts))):
        yield Line(start, content, whole=True)


def lines_of_range(file: CorpusFile, start: int, stop: int, storage: Storage) -> Iterator[Line]:
    """The lines of an uncompressed file whose first byte lies in [start, stop).

    One ranged read, and as much beyond it as the last of the lines needs.
    """
    if start == stop:
        return iter(())
    before = max(start - 1, 0)
    data = storage.read_range(file.uri, before, stop)
    if len(data) < stop - before:
        raise InputChangedError(f"{file.uri}: shorter than planned; plan again, or restore it")
    # A line starts at `start` only if the byte before it ends another.
    skipped = data.find(b"\n") + 1 if start else 0
    if start and not skipped:
        return iter(())
    pieces = (data[place : place + PIECE_BYTES] for place in range(skipped, len(data), PIECE_BYTES))
    return split_lines(chain(pieces, _beyond(file, stop, storage)), before + skipped, stop)


def _beyond(file: CorpusFile, place: int, storage: Storage) -> Iterator[bytes]:
    width = FIRST_EXTENSION_BYTES
    while place < file.size and (data := storage.read_range(file.uri, place, min(place + width, file.size))):
        yield data
        place += len(data)
        width = min(2 * width, MAX_EXTENSION_BYTES)


def _without_mark(start: int, content: bytes) -> bytes:
    return content.removeprefix(codecs.BOM_UTF8) if start == 0 else content
