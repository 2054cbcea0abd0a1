"""The way in: counts who is inside, and once it is closed lets nobody in, while those inside come to their end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from serving.http.api_error import ApiError

POLL_SECONDS = 0.02

STOPPING = "The server is stopping. Try again."


class Doors:
    """Open until `close`."""

    def __init__(self) -> None:
        self.open = True
        self._inside = 0

    @contextmanager
    def inside(self) -> Iterator[None]:
        """For the time of a request. Raises ApiError where they are closed."""
        if not self.open:
            raise ApiError(503, STOPPING, retry_after=1)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def close(self) -> None:
        """Lets nobody in any more, and waits for those inside."""
        self.open = False
        while self._inside:
            await asyncio.sleep(POLL_SECONDS)
