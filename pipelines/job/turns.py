"""Who may work at a time inside one worker: several units together, or one suspect unit alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Shared and exclusive turns among the threads of a worker."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._sharing = 0
        self._exclusive = False
        self._waiting = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """A turn beside others. Waits while somebody is alone, or waits to be."""
        with self._free:
            self._free.wait_for(lambda: not self._exclusive and not self._waiting)
            self._sharing += 1
        try:
            yield
        finally:
            with self._free:
                self._sharing -= 1
                self._free.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A turn with nobody beside."""
        with self._free:
            self._waiting += 1
            self._free.wait_for(lambda: not self._exclusive and not self._sharing)
            self._waiting -= 1
            self._exclusive = True
        try:
            yield
        finally:
            with self._free:
                self._exclusive = False
                self._free.notify_all()
