"""Rows that wait to be encoded, ordered by the length to which they would be padded."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One row of a request. request: its number. index: of the row in it. tokens: its length before padding."""

    request: int
    index: int
    tokens: int


class RowsByLength:
    """The rows of several requests, each at its rung of the ladder of lengths."""

    def __init__(self, ladder: Sequence[int]) -> None:
        # The longest first; of a rung, the requests with rows on it in the order of arrival.
        self._rungs: dict[int, dict[int, deque[Row]]] = {rung: {} for rung in sorted(ladder, reverse=True)}
        self._waiting: dict[int, int] = {}
        self._tokens: dict[int, int] = {}
        self.tokens = 0

    def __iter__(self) -> Iterator[int]:
        """The requests with rows here, the oldest first."""
        return iter(self._waiting)

    def __contains__(self, request: int) -> bool:
        return request in self._waiting

    def __len__(self) -> int:
        """How many rows wait."""
        return sum(self._waiting.values())

    def add(self, rung: int, row: Row) -> None:
        """One more row. rung: the length to which it would be padded."""
        self._rungs[rung].setdefault(row.request, deque()).append(row)
        self._waiting[row.request] = self._waiting.get(row.request, 0) + 1
        self._tokens[row.request] = self._tokens.get(row.request, 0) + row.tokens
        self.tokens += row.tokens

    def tokens_up_to(self, most: int) -> int:
        """As `tokens`, with no more than so many of each request."""
        return sum(min(tokens, most) for tokens in self._tokens.values())

    def drop(self, request: int) -> None:
        """Leaves out all the rows of a request."""
        self._waiting.pop(request, None)
        self.tokens -= self._tokens.pop(request, 0)
        for requests in self._rungs.values():
            requests.pop(request, None)

    def longest(self, request: int | None = None) -> int:
        """The longest rung with a row on it, of one request or of all."""
        return next(
            rung for rung, requests in self._rungs.items() if (requests if request is None else request in requests)
        )

    def between(self, least: float, length: int) -> int:
        """How many rows would be padded to `length` tokens or less, but not to less than `least`."""
        fitting = (requests for rung, requests in self._rungs.items() if least <= rung <= length)
        return sum(len(rows) for requests in fitting for rows in requests.values())

    def take(self, length: int, room: int, leader: int | None) -> list[Row]:
        """Up to `room` rows that fit in `length` tokens: the leader's, then those with the least padding, and of those
        the oldest."""
        fitting = [requests for rung, requests in self._rungs.items() if rung <= length]
        taken: list[Row] = []
        for requests in fitting:
            while leader in requests and len(taken) < room:
                taken.append(self._remove(requests, leader))
        for requests in fitting:
            while requests and len(taken) < room:
                taken.append(self._remove(requests, next(iter(requests))))
        return taken

    def _remove(self, requests: dict[int, deque[Row]], request: int) -> Row:
        row = requests[request].popleft()
        if not requests[request]:
            del requests[request]
        self._waiting[request] -= 1
        self._tokens[request] -= row.tokens
        if not self._waiting[request]:
            del self._waiting[request], self._tokens[request]
        self.tokens -= row.tokens
        return row
