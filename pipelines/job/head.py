"""Whether Ray's head is there. Without it, Ray ends the driver's process within a minute, and without a word."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.errors import EncorpusError, first_line

# How long a head may be away, as while it is restarted, and how long it may take to answer.
AWAY_SECONDS = 25.0
ANSWER_SECONDS = 2.0


class HeadLostError(EncorpusError):
    """Ray's head is away. Whoever asks anything of Ray after that waits until Ray ends the process."""


@contextmanager
def ended_with_block(end: Callable[[], object]) -> Iterator[None]:
    """Calls `end` when the block is left, however; but not by HeadLostError, after which nothing can be ended."""
    lost = False
    try:
        yield
    except HeadLostError:
        lost = True
        raise
    finally:
        if not lost:
            end()


class Head:
    """address: HOST:PORT, as Ray's runtime context tells it. clock: in seconds. lost: whether HeadLostError came."""

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._clock = clock
        self._answered = clock()
        self.lost = False

    def answers(self) -> bool:
        """Whether it does now. Raises HeadLostError when it has not for long."""
        host, _, port = self._address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
        except OSError as error:
            if self._clock() - self._answered > AWAY_SECONDS:
                self.lost = True
                raise HeadLostError(
                    f"Ray's head at {self._address} does not answer ({first_line(error)}); what is written is kept: "
                    "when there is a head, run the same command again"
                ) from None
            return False
        self._answered = self._clock()
        return True
