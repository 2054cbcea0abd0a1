"""The thread that encodes what waits in the lanes: each micro-batch is chosen when the last one is done."""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pipelines.encoder.tokens import Tokens
from serving.admission import Queue, Throughput
from serving.lanes.lane_meter import UNMETERED, LaneMeter
from serving.lanes.lanes import Lane, Lanes, MicroBatch, by_request
from serving.lanes.rows_by_length import Row

log = logging.getLogger(__name__)


class TooLateError(Exception):
    """The deadline of a request passed before it was encoded."""


class StoppedError(Exception):
    """The thread came to its end before the request was encoded."""


class MicroBatchEncoder(Protocol):
    """What the thread needs of an encoder. ladder: the lengths it takes. token_budget: positions of a micro-batch.
    pads: whether all rows of a batch are padded to its length."""

    @property
    def ladder(self) -> tuple[int, ...]: ...

    @property
    def token_budget(self) -> int: ...

    @property
    def pads(self) -> bool: ...

    def encode_batch(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray) -> np.ndarray:
        """int32 [b, L] each, L of the ladder, to [b, dim], or [b, L, dim] for `sequence`."""
        ...


@dataclass
class Cost:
    """What requests have taken of the encoder. rows: by the length at which they were encoded. seconds: their share, by
    rows, of the micro-batches that they were in."""

    rows: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0


@dataclass
class _Request:
    """since: when it was submitted. vectors: of each distinct row, None while it waits. begun: whether a row is in a
    micro-batch."""

    lane: Lane
    since: float
    tokens: Tokens
    cost: Cost
    future: "Future[list[np.ndarray]]"
    vectors: list[np.ndarray | None]
    left: int
    begun: bool = False


class LaneThread:
    """Takes tokens from any thread, and encodes them in its own.

    throughput: of all lanes. Call `stop` at the end.
    """

    def __init__(
        self,
        encoder: MicroBatchEncoder,
        batch_floor: float,
        meter: LaneMeter = UNMETERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._encoder = encoder
        self._lanes = Lanes(encoder.ladder, encoder.token_budget, batch_floor)
        self._meter = meter
        self._clock = clock
        self.throughput = Throughput()
        self._requests: dict[int, _Request] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._at_hand_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="lanes", daemon=True)
        self._thread.start()

    def submit(
        self, lane: Lane, tokens: Tokens, deadline: float = math.inf, cost: Cost | None = None
    ) -> "Future[list[np.ndarray]]":
        """The vectors of u distinct rows, [dim] each, or [tokens, dim] for `sequence`, when they are there.

        deadline: by the clock; a request that is not done by then fails with TooLateError. Cancel the future of what
        nobody waits for any more: rows that were not begun are not encoded. cost: is added up until then.
        """
        distinct = len(tokens.lengths)
        request = _Request(lane, self._clock(), tokens, cost or Cost(), Future(), [None] * distinct, distinct)
        with self._changed:
            if self._stopping:
                request.future.set_exception(StoppedError())
            elif not distinct:
                request.future.set_result([])
            else:
                number = self._lanes.put(lane, tokens.lengths, deadline)
                self._requests[number] = request
                request.future.add_done_callback(lambda future: self._drop(number) if future.cancelled() else None)
                self._changed.notify()
        return request.future

    def waiting(self, lane: Lane) -> int:
        """Tokens that wait in a lane."""
        with self._changed:
            return self._lanes.waiting(lane)

    def queue(self) -> Queue:
        """What waits in the online lane."""
        with self._changed:
            return Queue(self._lanes.waiting(Lane.ONLINE), self._lanes.ahead())

    @property
    def stopping(self) -> bool:
        """Whether it takes nothing more."""
        return self._stopping

    def trouble(self, most_seconds: float) -> str | None:
        """Why nothing is encoded any more, None where all is well. most_seconds: that a micro-batch may take."""
        since = self._at_hand_since
        if not self._thread.is_alive():
            return "the thread that encodes has ended"
        if since is not None and self._clock() - since > most_seconds:
            return f"a micro-batch has taken more than {most_seconds:g} seconds"
        return None

    def stop(self) -> None:
        """Ends the thread after the micro-batch at hand; what waits fails with StoppedError."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _drop(self, number: int) -> None:
        with self._changed:
            self._lanes.drop(number)
            self._requests.pop(number, None)
        self._meter.cancelled()

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                self._answer(batch)
        finally:
            with self._changed:
                self._stopping = True
                waiting = set(self._requests)
            self._fail(waiting, StoppedError())

    def _answer(self, batch: MicroBatch) -> None:
        self._at_hand_since = started = self._clock()
        self._begin(batch, started)
        try:
            values = self._encode(batch)
        except Exception as error:
            log.exception("a micro-batch of %d rows of %d tokens failed", len(batch.rows), batch.length)
            self._at_hand_since = None
            self._answer_failed(batch, error)
            return
        self._hand_out(batch, values, self._clock() - started)
        self._at_hand_since = None
        seconds = self._clock() - started
        self.throughput.add(sum(row.tokens for row in batch.rows), seconds)
        self._meter.micro_batch(batch, sum(self._length(row, batch) for row in batch.rows), seconds)

    def _answer_failed(self, batch: MicroBatch, error: Exception) -> None:
        """Each request by itself, since perhaps only one of them is at fault."""
        parts = by_request(batch)
        if len(parts) == 1:
            self._fail({batch.rows[0].request}, error)
            return
        for part in parts:
            self._answer(part)

    def _begin(self, batch: MicroBatch, now: float) -> None:
        with self._changed:
            found = [self._requests.get(number) for number in {row.request for row in batch.rows}]
            fresh = [request for request in found if request is not None and not request.begun]
        for request in fresh:
            request.begun = True
            self._meter.begun(request.lane, now - request.since)

    def _next(self) -> MicroBatch | None:
        """The next micro-batch, as soon as there is one; None at the end."""
        while True:
            with self._changed:
                late = {number: self._requests.pop(number) for number in self._lanes.expire(self._clock())}
                batch = None if self._stopping else self._lanes.next()
                if batch is None and not late and not self._stopping:
                    self._changed.wait()
            for request in late.values():
                self._meter.late(request.lane)
                _settle(request.future, TooLateError())
            if batch is not None or self._stopping:
                return batch

    def _encode(self, batch: MicroBatch) -> np.ndarray:
        """The vectors of a micro-batch's rows, in their order."""
        with self._changed:
            tokens = [request.tokens if (request := self._requests.get(row.request)) else None for row in batch.rows]
        arrays = np.zeros((3, len(batch.rows), batch.length), np.int32)
        for place, (row, of) in enumerate(zip(batch.rows, tokens, strict=True)):
            if of is None:  # cancelled meanwhile
                continue
            for array, source in zip(arrays, (of.word_ids, of.mask, of.type_ids), strict=True):
                part = source[row.index, : batch.length]
                array[place, : len(part)] = part
        return self._encoder.encode_batch(*arrays)

    def _length(self, row: Row, batch: MicroBatch) -> int:
        """At which it is encoded, but for the little padding that is left where rows are not padded to the batch's."""
        return batch.length if self._encoder.pads else row.tokens

    def _hand_out(self, batch: MicroBatch, values: np.ndarray, seconds: float) -> None:
        done: list[_Request] = []
        with self._changed:
            for row, value in zip(batch.rows, values, strict=True):
                request = self._requests.get(row.request)
                if request is None:
                    continue
                request.vectors[row.index] = value if value.ndim == 1 else value[: row.tokens]
                request.left -= 1
                request.cost.rows[self._length(row, batch)] += 1
                request.cost.seconds += seconds / len(batch.rows)
                if not request.left:
                    done.append(self._requests.pop(row.request))
        for request in done:
            _settle(request.future, [vector for vector in request.vectors if vector is not None])

    def _fail(self, numbers: set[int], error: Exception) -> None:
        with self._changed:
            failed = [request for number in numbers if (request := self._requests.pop(number, None))]
            for number in numbers:
                self._lanes.drop(number)
        for request in failed:
            _settle(request.future, error)


def _settle(future: "Future[list[np.ndarray]]", outcome: list[np.ndarray] | Exception) -> None:
    """Gives a future its outcome, unless it was cancelled at that moment."""
    try:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except InvalidStateError:
        pass
