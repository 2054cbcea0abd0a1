"""So much a minute: a bucket that fills at a steady rate and holds what a minute brings."""

import math


class RateLimit:
    """A token bucket. per_minute: what it takes in a minute, and at once after a pause; None for no limit."""

    def __init__(self, per_minute: int | None, now: float) -> None:
        self._most = math.inf if per_minute is None else float(per_minute)
        self._left = self._most
        self._since = now

    def wait(self, amount: int, now: float) -> float:
        """Seconds until the amount may be taken, 0 if now; infinite if it is more than a minute's."""
        self._fill(now)
        if amount > self._most:
            return math.inf
        return 0.0 if amount <= self._left else (amount - self._left) * 60 / self._most

    def take(self, amount: int, now: float) -> None:
        """Takes the amount."""
        self._fill(now)
        self._left -= amount

    def _fill(self, now: float) -> None:
        if self._most < math.inf:
            self._left = min(self._most, self._left + (now - self._since) * self._most / 60)
            self._since = now
