"""Trying again what a store failed to do: how often, how long between, and how often that was needed."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pipelines.errors import EncorpusError
from pipelines.store_errors import Failure, failure_of, server_answer, storage_error

Result = TypeVar("Result")

# An upload that breaks, or a server that is silent, may take longer than all the waits.
LEAST_ATTEMPTS = 3


@dataclass(frozen=True)
class RetryPolicy:
    """How an operation is repeated while its failure may pass.

    attempts: at most. first_wait: seconds before the second one, each later wait being twice as long, up to
    longest_wait; a random part of it, up to the half, is left out, lest all workers come back at once. most_seconds:
    no attempt begins later than that after the third, so that there are three however long each takes.
    unproven_seconds: none begins later than that after the first, while the store has neither done anything nor
    answered: then its address is wrong, more likely than not.
    """

    attempts: int = 7
    first_wait: float = 0.25
    longest_wait: float = 8.0
    most_seconds: float = 30.0
    unproven_seconds: float = 8.0
    sleep: Callable[[float], None] = time.sleep

    def wait_after(self, attempt: int) -> float:
        """Seconds to wait after an attempt, which are counted from 1."""
        longest = min(self.first_wait * 2 ** (attempt - 1), self.longest_wait)
        return longest * random.uniform(0.5, 1)


class Retries:
    """How often operations were repeated, and whether one ever succeeded. Threads may share it.

    It is of this process: pickled, it arrives as new.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self.proven = False

    def __reduce__(self) -> tuple[type["Retries"], tuple[()]]:
        return Retries, ()

    def add(self) -> None:
        """Counts one."""
        with self._lock:
            self._count += 1

    def take(self) -> int:
        """How many there were since this was asked last."""
        with self._lock:
            taken, self._count = self._count, 0
        return taken


def repeated(
    work: Callable[[], Result], renew: Callable[[], None], policy: RetryPolicy, retries: Retries, uri: str, verb: str
) -> Result:
    """Does the work, again while its failure may pass. renew: makes the next attempt use new credentials.

    Raises what the work raised where that will not pass, and StorageError after the last attempt.
    """
    began = counted_from = time.monotonic()
    attempt, renewed = 1, False
    while True:
        if attempt <= LEAST_ATTEMPTS:
            counted_from = time.monotonic()
        try:
            result = work()
        except EncorpusError:
            raise
        except Exception as error:
            failure = failure_of(error)
            if failure is Failure.LASTING or (failure is Failure.NO_CREDENTIALS and not retries.proven):
                raise
            if failure is Failure.BARE and renewed:
                raise
            if failure is not Failure.PASSING:
                # A key that never worked is a wrong one, rather than one that expired.
                if renewed and not retries.proven:
                    raise
                renew()
                renewed = True
            known = retries.proven or server_answer(error) != (None, None)
            wait = policy.wait_after(attempt)
            until = counted_from + policy.most_seconds if known else began + policy.unproven_seconds
            too_late = time.monotonic() + wait > until and (attempt >= LEAST_ATTEMPTS or not known)
            if attempt == policy.attempts or too_late:
                raise storage_error(uri, verb, error, attempt) from error
        else:
            retries.proven = True
            return result
        retries.add()
        policy.sleep(wait)
        attempt += 1
