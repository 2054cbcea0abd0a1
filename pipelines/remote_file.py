"""An open file in a store, read by ranges, so that a connection that breaks costs a range and not the file."""

import errno
import io
import os
from collections.abc import Callable
from typing import Any

from pipelines.errors import StorageError

FIRST_BLOCK_BYTES = 1 << 17
MAX_BLOCK_BYTES = 8 << 20


class RemoteFile(io.RawIOBase):
    """A seekable file. It holds one block: small after a seek, and twice as long each time that reading goes on.

    fetch: gives the bytes [start, stop), all of them, or raises StorageError.
    """

    def __init__(self, uri: str, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self._uri = uri
        self._size = size
        self._fetch = fetch
        self._place = 0
        self._block = b""
        self._block_start = 0
        self._width = FIRST_BLOCK_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if place < 0:
            raise StorageError(f"{self._uri}: cannot read: {os.strerror(errno.EINVAL)}")
        self._place = place
        return place

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._place)
        if wanted <= 0:
            return 0
        if not self._block_start <= self._place < self._block_start + len(self._block):
            self._next_block(wanted)
        offset = self._place - self._block_start
        part = memoryview(self._block)[offset : offset + wanted]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

    def readall(self) -> bytes:
        data = bytearray(max(self._size - self._place, 0))
        view = memoryview(data)
        while view:
            view = view[self.readinto(view) :]
        return bytes(data)

    def _next_block(self, wanted: int) -> None:
        goes_on = bool(self._block) and self._place == self._block_start + len(self._block)
        self._width = min(2 * self._width, MAX_BLOCK_BYTES) if goes_on else FIRST_BLOCK_BYTES
        self._block = b""  # not two blocks at once
        width = max(self._width, min(wanted, MAX_BLOCK_BYTES))
        self._block = self._fetch(self._place, min(self._place + width, self._size))
        self._block_start = self._place
