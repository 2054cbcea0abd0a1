"""Copies files out of a store by ranges, several at once: one connection alone does not fill a wire."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pipelines.store_errors import FULL

# So many times that much is in memory. Some servers read, or hash, the whole file for each request, however small.
PIECE_BYTES = 64 << 20
AT_ONCE = 4

# Gives the bytes [start, stop) of what a URI names, all of them, or raises.
Read = Callable[[str, int, int], bytes]


class Source(NamedTuple):
    """A file of so many bytes, and where its copy is to lie."""

    uri: str
    size: int
    target: Path


class _Piece(NamedTuple):
    source: Source
    start: int
    stop: int


def copy_files(sources: Sequence[Source], read: Read, at_once: int = AT_ONCE) -> None:
    """Copies all files whole, or raises what the first range that could not be had raises, or the disk.

    Room for each is taken before anything is read, so that a disk that is too small is known at once.
    """
    for source in sources:
        source.target.parent.mkdir(parents=True, exist_ok=True)
        with source.target.open("wb") as file:
            _take_room(file.fileno(), source.size)
    with ThreadPoolExecutor(at_once, thread_name_prefix="copy") as threads:
        copies = [threads.submit(_copy, piece, read) for source in sources for piece in _pieces(source)]
        try:
            for copy in copies:
                copy.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _pieces(source: Source) -> Iterator[_Piece]:
    for start in range(0, source.size, PIECE_BYTES):
        yield _Piece(source, start, min(start + PIECE_BYTES, source.size))


def _copy(piece: _Piece, read: Read) -> None:
    left = memoryview(read(piece.source.uri, piece.start, piece.stop))
    place = piece.start
    with piece.source.target.open("r+b", buffering=0) as file:
        while left:
            written = os.pwrite(file.fileno(), left, place)
            left, place = left[written:], place + written


def _take_room(descriptor: int, size: int) -> None:
    if not size:
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno in FULL:
            raise
        os.ftruncate(descriptor, size)  # a filesystem that knows no such thing
