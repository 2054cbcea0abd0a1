"""What a replica holds of requests, in bytes: their bodies, from the first part that comes to the answer. Bounded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.http.api_error import ApiError

# Eight of the largest bodies; of usual ones, many more than fit into the queue.
MOST_BYTES = 128 << 20


class Intake:
    """Counts them."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._held = 0

    @contextmanager
    def request(self) -> Iterator[Callable[[int], None]]:
        """For the time of a request; gives what is to be told of each part of its body, in bytes, before it is kept.
        That raises ApiError where it is too much."""
        own = 0

        def take(length: int) -> None:
            nonlocal own
            if self._held + length > self._most:
                raise ApiError(
                    429,
                    "The server has more requests than it can hold. Try again later.",
                    code="rate_limit_exceeded",
                    retry_after=1,
                )
            own += length
            self._held += length

        try:
            yield take
        finally:
            self._held -= own
