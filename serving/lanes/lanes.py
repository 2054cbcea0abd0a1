"""Two lanes into one encoder: which rows make the next micro-batch. Knows no threads, no clock and no TensorFlow.

A micro-batch holds as many rows as the token budget allows at its length, a rung of the ladder. Online rows come first;
batch rows of about their length fill it up to half the budget, where there are enough of them, and have the encoder to
themselves while nobody else is there. A batch job beside people who never pause still gets its floor.

Who leads decides the length: a micro-batch is as long as its leader's longest row. Online, a request that has not led
yet comes before those that have, but not twice in a row, so that one short text does not wait for a list of thousands,
nor the list for ever. In the batch lane the oldest request leads until it is done.
"""

import bisect
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pipelines.encoder.batching import full_batch_rows, half_batch_rows
from serving.lanes.rows_by_length import Row, RowsByLength

# So many micro-batches of the batch lane are half as large after one of people, of whom the next may be about to come.
SMALL_AFTER_PEOPLE = 32

# Of a micro-batch's length, what a row has that may fill it up, at least.
FILLING_SHARE = 0.75


class Lane(StrEnum):
    """A priority class: online before batch."""

    ONLINE = "online"
    BATCH = "batch"


@dataclass(frozen=True)
class MicroBatch:
    """Rows to encode together, padded to `length` tokens each. online: how many of them are of the online lane."""

    length: int
    rows: tuple[Row, ...]
    online: int


def by_request(batch: MicroBatch) -> list[MicroBatch]:
    """The rows of each request apart from those of others."""
    online: dict[int, list[Row]] = {}
    other: dict[int, list[Row]] = {}
    for place, row in enumerate(batch.rows):
        (online if place < batch.online else other).setdefault(row.request, []).append(row)
    return [
        *(MicroBatch(batch.length, tuple(rows), len(rows)) for rows in online.values()),
        *(MicroBatch(batch.length, tuple(rows), 0) for rows in other.values()),
    ]


class Lanes:
    """The rows that wait for the encoder.

    ladder: the lengths that rows are padded to, rising. token_budget: of a micro-batch, padding included. batch_floor:
    the share of all encoded positions that the batch lane gets at least while it has rows.
    """

    def __init__(self, ladder: Sequence[int], token_budget: int, batch_floor: float) -> None:
        self._ladder = tuple(ladder)
        self._budget = token_budget
        self._floor = batch_floor
        self._lanes = {lane: RowsByLength(self._ladder) for lane in Lane}
        self._deadlines: dict[int, float] = {}
        self._numbers = 0
        # Online requests in the order in which they lead.
        self._fresh: deque[int] = deque()
        self._led: deque[int] = deque()
        self._leader: int | None = None
        self._fresh_led_last = False
        # Positions that the batch lane is short of its floor.
        self._owed = 0.0
        self._small_left = 0

    def put(self, lane: Lane, lengths: np.ndarray, deadline: float = math.inf) -> int:
        """A request's rows, with int [n] tokens each, at most the top rung. Gives the request's number."""
        number = self._numbers
        self._numbers += 1
        for index, tokens in enumerate(lengths.tolist()):
            rung = self._ladder[bisect.bisect_left(self._ladder, tokens)]
            self._lanes[lane].add(rung, Row(number, index, tokens))
        if lane is Lane.ONLINE and len(lengths):
            self._fresh.append(number)
        if deadline < math.inf:
            self._deadlines[number] = deadline
        return number

    def drop(self, request: int) -> None:
        """Leaves out what waits of a request; nobody wants it any more."""
        self._deadlines.pop(request, None)
        for rows in self._lanes.values():
            if request in rows:
                rows.drop(request)

    def expire(self, now: float) -> list[int]:
        """Drops the requests whose deadline has passed, and gives their numbers."""
        late = [request for request, deadline in self._deadlines.items() if deadline <= now]
        for request in late:
            self.drop(request)
        return late

    def waiting(self, lane: Lane) -> int:
        """Tokens that wait, without padding."""
        return self._lanes[lane].tokens

    def ahead(self) -> int:
        """Online tokens that come before those of a request that is new, about: of each request one micro-batch."""
        return self._lanes[Lane.ONLINE].tokens_up_to(self._budget)

    def next(self) -> MicroBatch | None:
        """Takes the rows of the next micro-batch; None where none wait."""
        online, batch = self._lanes[Lane.ONLINE], self._lanes[Lane.BATCH]
        if not online and not batch:
            return None
        oldest = next(iter(batch), None)
        if oldest is not None and (not online or self._owed >= self._budget):
            length = batch.longest(oldest)
            room = (half_batch_rows if self._small_left else full_batch_rows)(length, self._budget)
            of_batch = batch.take(length, room, oldest)
            of_online = online.take(length, room - len(of_batch), leader=None)
        else:
            leader = self._lead(online)
            everybody_fits = len(online) <= full_batch_rows(online.longest(), self._budget)
            length = online.longest(None if everybody_fits else leader)
            room = full_batch_rows(length, self._budget)
            of_online = online.take(length, room, leader)
            of_batch = self._filling(length, half_batch_rows(length, self._budget) - len(of_online))
        self._keep_account(length, of_online, of_batch)
        return MicroBatch(length, (*of_online, *of_batch), len(of_online))

    def _filling(self, length: int, room: int) -> list[Row]:
        """Batch rows for the room that online rows leave in half a micro-batch, or none.

        A whole one saves little more, and people wait for its end. None if too few rows are about as long: each costs
        the micro-batch's length.
        """
        batch = self._lanes[Lane.BATCH]
        if room <= 0 or batch.between(FILLING_SHARE * length, length) < room:
            return []
        return batch.take(length, room, leader=None)

    def _lead(self, online: RowsByLength) -> int:
        """The request that leads; it comes after all others from then on."""
        for queue in (self._fresh, self._led):
            while queue and queue[0] not in online:
                queue.popleft()
        turn_of_others = self._fresh_led_last and bool(self._led) and self._led[0] != self._leader
        fresh = bool(self._fresh) and not turn_of_others
        self._leader = (self._fresh if fresh else self._led).popleft()
        self._led.append(self._leader)
        self._fresh_led_last = fresh
        return self._leader

    def _keep_account(self, length: int, online: list[Row], batch: list[Row]) -> None:
        """What the batch lane is owed, while it wants more than it got."""
        self._small_left = SMALL_AFTER_PEOPLE if online else max(0, self._small_left - 1)
        positions = length * (len(online) + len(batch))
        self._owed = max(0.0, self._owed + self._floor * positions - length * len(batch))
        if not self._lanes[Lane.BATCH]:
            self._owed = 0.0
        for row in (*online, *batch):
            self._forget_if_taken(row.request)

    def _forget_if_taken(self, request: int) -> None:
        """A request of which nothing waits any more cannot be too late."""
        if not any(request in rows for rows in self._lanes.values()):
            self._deadlines.pop(request, None)
