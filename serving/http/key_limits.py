"""What each API key may still ask for: requests and tokens by the minute, taken before they are served."""

import math
import time
from collections.abc import Callable

from serving.http.api_error import ApiError
from serving.http.api_keys import ApiKey
from serving.http.rate_limit import RateLimit


class KeyLimits:
    """The limits of all keys that have asked. clock: in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limits: dict[str, tuple[ApiKey, RateLimit, RateLimit]] = {}

    def take_request(self, key: ApiKey | None) -> None:
        """Takes one request of a key's; None has no limits. Raises ApiError where there is none left."""
        if key is not None:
            self._take(self._of(key)[0], 1, key.requests_per_minute)

    def take_tokens(self, key: ApiKey | None, tokens: int) -> None:
        """Takes the tokens of a request. Raises ApiError where so many are not left, and then takes none."""
        if key is not None:
            self._take(self._of(key)[1], tokens, key.tokens_per_minute)

    def _of(self, key: ApiKey) -> tuple[RateLimit, RateLimit]:
        known = self._limits.get(key.name)
        if known is None or known[0] != key:  # the file may give it other limits meanwhile
            now = self._clock()
            known = key, RateLimit(key.requests_per_minute, now), RateLimit(key.tokens_per_minute, now)
            self._limits[key.name] = known
        return known[1:]

    def _take(self, limit: RateLimit, amount: int, per_minute: int | None) -> None:
        now = self._clock()
        wait = limit.wait(amount, now)
        if math.isinf(wait):
            raise ApiError(
                400,
                f"The request has {amount:,} tokens, and this key may ask for {per_minute:,} a minute: send it in "
                "parts.",
                param="input",
            )
        if wait > 0:
            raise ApiError(
                429,
                f"Rate limit reached for this key: {per_minute:,} a minute. Try again later.",
                code="rate_limit_exceeded",
                retry_after=max(1, math.ceil(wait)),
            )
        limit.take(amount, now)
