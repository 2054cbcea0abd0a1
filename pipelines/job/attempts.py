"""How often each unit was begun, so that one that kills its worker is set aside instead of looping for ever.

Ray restarts a dead worker and repeats its units without end. The count lives outside the workers, in an actor beside
the driver. A worker may hold two units when it dies, and only one of them is to blame: a unit that was in a worker
when it died runs alone from then on, so that the third death is surely its own.
"""

from collections import Counter
from typing import Any, Protocol

MOST_DEATHS = 3


class Attempts(Protocol):
    """The count, near or far."""

    def deaths(self, unit: str) -> int:
        """How many workers died with this unit in them; asked before it is begun."""
        ...

    def begin(self, unit: str) -> None:
        """Counts a beginning; back only when it is counted."""
        ...

    def end(self, unit: str) -> None:
        """Forgets a unit that came to an end, whatever the outcome."""
        ...


class AttemptCount:
    """Attempts, counted in this process."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def deaths(self, unit: str) -> int:
        """As Attempts.deaths."""
        return self._open[unit]

    def begin(self, unit: str) -> None:
        """As Attempts.begin."""
        self._open[unit] += 1

    def end(self, unit: str) -> None:
        """As Attempts.end."""
        self._open.pop(unit, None)


class RemoteAttempts:
    """Attempts, counted by an AttemptCount that is a Ray actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def deaths(self, unit: str) -> int:
        """As Attempts.deaths."""
        return _wait(self._actor.deaths.remote(unit))

    def begin(self, unit: str) -> None:
        """As Attempts.begin."""
        _wait(self._actor.begin.remote(unit))

    def end(self, unit: str) -> None:
        """As Attempts.end."""
        _wait(self._actor.end.remote(unit))


def _wait(reference: Any) -> Any:
    import ray

    return ray.get(reference)
