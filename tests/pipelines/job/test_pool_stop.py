"""The pool's thread is ended, be it about to start, stuck, or broken."""

import threading

import pytest

from pipelines.job.pool import stop_thread


class Waiting:
    """A thread that waits for its end, and hears of it only when it is told for the second time."""

    def __init__(self, error: Exception | None = None) -> None:
        self._end = threading.Event()
        self._told = 0
        self._error = error
        self.thread = threading.Thread(target=self._end.wait, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self._told += 1
        if self._told == 2:
            self._end.set()
        elif self._error:
            raise self._error


@pytest.mark.parametrize("error", [None, RuntimeError("no such actor")], ids=["overheard", "failed"])
def test_a_stop_that_does_nothing_is_repeated(error: Exception | None):
    waiting = Waiting(error)
    stop_thread(waiting.thread, waiting.stop)
    assert not waiting.thread.is_alive()
