"""Whether there is room for a request: the queue is bounded, and who does not fit is told when to come again."""

import math

from serving.http.api_error import ApiError

# The measured rate forgets at this pace.
MEMORY_SECONDS = 10.0


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


def admit(tokens: int, waiting: int, most_waiting: int, rate: float | None) -> None:
    """Raises ApiError where a request does not fit into the queue.

    tokens: of the request. waiting: tokens in the queue; most_waiting: its bound. rate: tokens a second.
    """
    if tokens > most_waiting:
        raise ApiError(
            400,
            f"The request has {tokens:,} tokens, and the queue holds {most_waiting:,}: send it in parts.",
            param="input",
        )
    over = waiting + tokens - most_waiting
    if over > 0:
        raise ApiError(
            429,
            "The server has more requests than it can answer soon. Try again later.",
            code="rate_limit_exceeded",
            retry_after=max(1, math.ceil(over / rate)) if rate else 1,
        )
