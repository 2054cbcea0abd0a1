"""A model that is served: what a request asks for becomes rows in the online lane, and their vectors its answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple, Protocol, Self

import numpy as np

from pipelines.encoder.spec import ResolvedSpec
from pipelines.encoder.tokens import Tokens
from pipelines.errors import first_line
from serving.admission import admit
from serving.http.api_error import ApiError
from serving.http.openai_api import EmbeddingRequest
from serving.in_thread import in_thread
from serving.lanes.lane_meter import UNMETERED, LaneMeter
from serving.lanes.lane_thread import LaneThread, MicroBatchEncoder, StoppedError, TooLateError
from serving.lanes.lanes import Lane
from serving.request_tokens import ServedTokenizer, all_tokens, request_tokens
from serving.spread import ALONE, Others, gathered, parts_of

log = logging.getLogger(__name__)

# A micro-batch that takes longer than this will not come to an end; compiling a large model takes a minute.
MOST_MICRO_BATCH_SECONDS = 300.0

# A deadline is seen between two micro-batches; after so much more, nobody waits for the end of the one at hand.
GRACE_SECONDS = 15.0

# So many characters, or ids, of a request are tokenised about as fast as they are handed to another thread and back.
AT_ONCE = 1000

# Told how many tokens a request has, with repeated ones, before they enter the queue; it may raise.
Charge = Callable[[int], None]


class ServedEncoder(MicroBatchEncoder, Protocol):
    """What serving needs of a TextEncoder."""

    @property
    def tokenize(self) -> ServedTokenizer: ...

    @property
    def dimension(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def resolved(self) -> ResolvedSpec: ...

    @property
    def runtime(self) -> str: ...

    def giving(self, output: str) -> Self: ...


class Embedded(NamedTuple):
    """vectors: float32 [n, dim], in the order of the inputs. tokens: of all inputs, special ones included."""

    vectors: np.ndarray
    tokens: int


class ServedModel:
    """One encoder behind its lanes.

    most_waiting: tokens that may wait in the online lane. batch_floor: as for Lanes. deadline_seconds: after which a
    request is not worth computing. meter: told of what happens in the lanes. others: replicas that hold it, too.
    """

    def __init__(
        self,
        name: str,
        encoder: ServedEncoder,
        most_waiting: int,
        batch_floor: float,
        deadline_seconds: float,
        meter: LaneMeter = UNMETERED,
        others: Others = ALONE,
    ) -> None:
        self.name = name
        self.encoder = encoder
        self._most_waiting = most_waiting
        self._batch_floor = batch_floor
        self._deadline_seconds = deadline_seconds
        self._meter = meter
        self._others = others
        self.lanes = LaneThread(encoder, batch_floor, meter)
        self._heads: dict[str, ServedModel] = {}
        self._being_made: dict[str, asyncio.Task[ServedModel]] = {}
        self._away = 0

    async def head(self, output: str) -> "ServedModel":
        """The model of the same weights that gives an output of the encoder API, `pooled` or `sequence`, as it is.

        It has lanes of its own, made on first use, which takes a while; who asks meanwhile waits for the same. Or it is
        this model, if that gives the same. Raises ApiError where there is no room anyway.
        """
        if made := self._heads.get(output):
            return made
        self.admit()
        making = self._being_made.get(output)
        if making is None or making.done():
            making = asyncio.ensure_future(self._make_head(output))
            self._being_made[output] = making
        return await asyncio.shield(making)

    async def _make_head(self, output: str) -> "ServedModel":
        encoder = await in_thread(lambda: self.encoder.giving(output))
        self._heads[output] = (
            self
            if encoder.fingerprint == self.encoder.fingerprint
            else ServedModel(
                self.name, encoder, self._most_waiting, self._batch_floor, self._deadline_seconds, self._meter
            )
        )
        return self._heads[output]

    def waiting(self, lane: Lane) -> int:
        """Tokens that wait in a lane, for whatever output."""
        return sum(model.lanes.waiting(lane) for model in self._all())

    @property
    def stopping(self) -> bool:
        """Whether it takes no more requests."""
        return any(model.lanes.stopping for model in self._all())

    def trouble(self) -> str | None:
        """Why it does not answer any more, None where all is well."""
        told = [model.lanes.trouble(MOST_MICRO_BATCH_SECONDS) for model in self._all()]
        return next((trouble for trouble in told if trouble), None)

    def stop(self) -> None:
        """Ends its threads, each after the micro-batch at hand."""
        for model in self._all():
            model.lanes.stop()

    def _all(self) -> "set[ServedModel]":
        return {self, *self._heads.values()}

    async def embed(self, request: EmbeddingRequest, charge: Charge = lambda tokens: None) -> Embedded:
        """The vectors of a request's inputs, as `encode` gives them. Raises ApiError: what cannot be served, or not
        now."""
        if request.dimensions not in (None, self.encoder.dimension):
            raise ApiError(
                400, f"This model gives {self.encoder.dimension} dimensions, and no other number.", param="dimensions"
            )
        deadline = self.deadline()
        tokens = await self.tokens(request.inputs, request.truncate)
        self.admit(tokens)
        charge(all_tokens(tokens))
        vectors = await self.encode(tokens, deadline)
        return Embedded(np.stack(vectors)[tokens.row].astype(np.float32), all_tokens(tokens))

    def deadline(self) -> float:
        """By when a request that comes now is answered, or given up; in seconds of the monotonic clock."""
        return time.monotonic() + self._deadline_seconds

    async def tokens(self, inputs: Sequence[str] | Sequence[Sequence[int]], truncate: bool) -> Tokens:
        """As `request_tokens`, unless there is no room for anything more."""
        self.admit()
        tokenize = self.encoder.tokenize
        if tokenize.in_calling_thread and sum(map(len, inputs)) <= AT_ONCE:
            return request_tokens(tokenize, inputs, truncate)
        # Tokenising takes a core for a while, and others wait for the event loop.
        return await asyncio.to_thread(request_tokens, tokenize, inputs, truncate)

    async def encode(self, tokens: Tokens, deadline: float) -> Sequence[np.ndarray]:
        """What LaneThread gives for the distinct rows of tokens, online. Cancelling it takes them out of the queue.

        Other replicas encode parts of a large request. Raises ApiError, as for a vector that is not finite.
        """
        self.admit(tokens)
        parts = parts_of(tokens.lengths, 1 + self._others.count, self.lanes.throughput.tokens_per_second)
        spread = len(parts) > 1
        encoding = self._spread(tokens, parts, deadline) if spread else self._submit(tokens, deadline)
        vectors = await self._outcome(encoding, deadline)
        _require_finite(vectors, tokens)
        return vectors

    async def encode_part(self, fingerprint: str, tokens: Tokens, seconds: float) -> np.ndarray | None:
        """The vectors [u, dim] of a part of another replica's request, within so many seconds. None where it is to
        look elsewhere: there is no room, or this is not the model that it has."""
        deadline = time.monotonic() + seconds
        try:
            if fingerprint != self.encoder.fingerprint:
                return None
            self._require_room(tokens)
            return np.stack(await self._outcome(self._submit(tokens, deadline), deadline))
        except ApiError:
            return None

    def _submit(self, tokens: Tokens, deadline: float) -> "asyncio.Future[list[np.ndarray]]":
        return asyncio.wrap_future(self.lanes.submit(Lane.ONLINE, tokens, deadline))

    async def _spread(self, tokens: Tokens, parts: Sequence[np.ndarray], deadline: float) -> Sequence[np.ndarray]:
        """The vectors of the rows, of which all parts but the first are encoded elsewhere."""
        first, *rest = (tokens.of_rows(rows) for rows in parts)
        # All is counted at once, as it was admitted, and nothing is left behind of a part that is never begun.
        with ExitStack() as all_away:
            away = [all_away.enter_context(self._away_from_here(part)) for part in rest]
            elsewhere = [self._encode_elsewhere(part, deadline, left) for part, left in zip(rest, away, strict=True)]
            return await gathered(parts, [self._submit(first, deadline), *elsewhere])

    def _away_from_here(self, tokens: Tokens) -> ExitStack:
        """Counts them as waiting here, as they may come back, until the context is left for the first time."""
        count = int(tokens.lengths.sum())

        def left() -> None:
            self._away -= count

        self._away += count
        away = ExitStack()
        away.callback(left)
        return away

    async def _encode_elsewhere(self, tokens: Tokens, deadline: float, away: ExitStack) -> Sequence[np.ndarray]:
        """By another replica; or here after all, while there is still time for it."""
        seconds = (deadline - time.monotonic()) / 2
        try:
            with away:
                async with asyncio.timeout(seconds):
                    return await self._others.encode(self.name, self.encoder.fingerprint, tokens, seconds)
        except Exception as error:
            log.info("a part of %d rows comes back to this replica: %s", len(tokens.lengths), first_line(error))
            return await self._submit(tokens, deadline)

    async def _outcome(self, encoding: Awaitable[Sequence[np.ndarray]], deadline: float) -> Sequence[np.ndarray]:
        """What is being encoded, when it is. Raises ApiError."""
        try:
            async with asyncio.timeout(deadline - time.monotonic() + GRACE_SECONDS):
                return await encoding
        except (TooLateError, TimeoutError):
            raise ApiError(503, "The request was not answered in time. Try again later.", retry_after=1) from None
        except StoppedError:
            raise ApiError(503, "The server is stopping. Try again.", retry_after=1) from None
        except Exception:  # of the encoder; whose thread has written it into the log
            raise ApiError(500, "The model had an error while encoding the request.") from None

    def admit(self, tokens: Tokens | None = None) -> None:
        """Raises ApiError where there is no room for a request, or, without its tokens, for any."""
        try:
            self._require_room(tokens)
        except ApiError as error:
            if error.status == 429:
                self._meter.shed()
            raise

    def _require_room(self, tokens: Tokens | None) -> None:
        count = 0 if tokens is None else int(tokens.lengths.sum())
        queue = self.lanes.queue()
        queue = queue._replace(tokens=queue.tokens + self._away)
        admit(count, queue, self._most_waiting, self.lanes.throughput.tokens_per_second)


def _require_finite(vectors: Sequence[np.ndarray], tokens: Tokens) -> None:
    """Raises ApiError where JSON has no way to say what the encoder gave for a row; in a shard, it is a reject.

    vectors: of the distinct rows, [dim] or [tokens, dim] each.
    """
    finite = np.array([np.isfinite(vector).all() for vector in vectors], bool)
    inputs = np.flatnonzero(~finite[tokens.row])
    if len(inputs):
        raise ApiError(400, f"The model gives no finite vector for the input at index {inputs[0]}.", param="input")
