"""Whether there is room for a request: the queue is bounded, and who does not fit is told when to come again."""

import math
from typing import NamedTuple

from serving.http.api_error import ApiError

# The measured rate forgets at this pace.
MEMORY_SECONDS = 10.0


# Who would wait longer is better off asking again, perhaps of another replica.
MOST_QUEUE_SECONDS = 3.0


class Queue(NamedTuple):
    """What waits, in tokens. ahead: of that, what comes before a request that is new; not all of a large one does."""

    tokens: int
    ahead: int


class Throughput:
    """Tokens a second that the encoder does while it works, lately."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0

    def add(self, tokens: int, seconds: float) -> None:
        """A micro-batch: its tokens, and the seconds that it took."""
        fade = math.exp(-seconds / MEMORY_SECONDS)
        self._tokens = self._tokens * fade + tokens
        self._seconds = self._seconds * fade + seconds

    @property
    def tokens_per_second(self) -> float | None:
        """None before the first micro-batch."""
        return self._tokens / self._seconds if self._seconds else None


def admit(tokens: int, queue: Queue, most_waiting: int, rate: float | None) -> None:
    """Raises ApiError where a request does not fit into the queue, or would wait in it too long.

    tokens: of the request. most_waiting: tokens that fit. rate: tokens a second.
    """
    if tokens > most_waiting:
        raise ApiError(
            400,
            f"The request has {tokens:,} tokens, and the queue holds {most_waiting:,}: send it in parts.",
            param="input",
        )
    over = max(queue.tokens + tokens - most_waiting, queue.ahead - MOST_QUEUE_SECONDS * (rate or math.inf))
    if over > 0:
        raise ApiError(
            429,
            "The server has more requests than it can answer soon. Try again later.",
            code="rate_limit_exceeded",
            retry_after=max(1, math.ceil(over / rate)) if rate else 1,
        )
