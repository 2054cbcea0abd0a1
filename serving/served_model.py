"""A model that is served: what a request asks for becomes rows in the online lane, and their vectors its answer."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np

from pipelines.encoder.tokens import Tokens
from pipelines.errors import EncorpusError, first_line
from serving.admission import admit
from serving.http.api_error import ApiError
from serving.http.openai_api import EmbeddingRequest
from serving.lanes.lane_meter import UNMETERED, LaneMeter
from serving.lanes.lane_thread import LaneThread, MicroBatchEncoder, StoppedError, TooLateError
from serving.lanes.lanes import Lane
from serving.spread import ALONE, Others, encode_spread, parts_of

log = logging.getLogger(__name__)

# A micro-batch that takes longer than this will not come to an end; compiling a large model takes a minute.
MOST_MICRO_BATCH_SECONDS = 300.0

# A deadline is seen between two micro-batches; after so much more, nobody waits for the end of the one at hand.
GRACE_SECONDS = 15.0


class ServedTokenizer(Protocol):
    """What serving needs of a Tokenizer. max_tokens, special, vocabulary: as there."""

    max_tokens: int
    special: int
    vocabulary: int | None

    def __call__(self, texts: Sequence[str]) -> Tokens: ...

    def pack(self, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]: ...


class ServedEncoder(MicroBatchEncoder, Protocol):
    """What serving needs of a TextEncoder."""

    @property
    def tokenize(self) -> ServedTokenizer: ...

    @property
    def dimension(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

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
        self._outputs: dict[str, ServedModel] = {}
        self._making = threading.Lock()

    def giving(self, output: str) -> "ServedModel":
        """The model of the same weights that gives an output of the encoder API, `pooled` or `sequence`, as it is.

        It has lanes of its own, made on first use, which takes a while; or is this model, if that gives the same.
        """
        with self._making:
            if output not in self._outputs:
                encoder = self.encoder.giving(output)
                self._outputs[output] = (
                    self
                    if encoder.fingerprint == self.encoder.fingerprint
                    else ServedModel(
                        self.name,
                        encoder,
                        self._most_waiting,
                        self._batch_floor,
                        self._deadline_seconds,
                        self._meter,
                    )
                )
            return self._outputs[output]

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
        return {self, *self._outputs.values()}

    async def embed(self, request: EmbeddingRequest, charge: Callable[[int], None] = lambda tokens: None) -> Embedded:
        """The vectors of a request's inputs. Cancelling it takes its rows out of the queue. charge: as for `encode`.

        Other replicas encode parts of a large request. Raises ApiError: what cannot be served, or not now.
        """
        self._check_dimensions(request)
        tokens = await self.tokens(request.inputs, request.truncate)
        parts = parts_of(tokens.lengths, 1 + self._others.count, self.encoder.token_budget)
        self._admit(tokens, int(tokens.lengths[parts[0]].sum()))
        charge(all_tokens(tokens))
        vectors = await encode_spread(tokens, parts, self._encode, self._encode_elsewhere)
        return Embedded(np.stack(vectors)[tokens.row].astype(np.float32), all_tokens(tokens))

    async def tokens(self, inputs: Sequence[str] | Sequence[Sequence[int]], truncate: bool) -> Tokens:
        """The tokens of texts, or of ids without special ones. Raises ApiError where the model does not take them."""
        # Tokenising takes a core for a while, and others wait for the event loop.
        return await asyncio.to_thread(self._tokens, inputs, truncate)

    async def encode(self, tokens: Tokens, charge: Callable[[int], None] = lambda tokens: None) -> list[np.ndarray]:
        """What LaneThread gives for the distinct rows of tokens, online. Raises ApiError.

        charge: told how many tokens there are, with repeated ones, before they enter the queue, which may raise.
        """
        self._admit(tokens)
        charge(all_tokens(tokens))
        return await self._encode(tokens)

    async def _encode(self, tokens: Tokens) -> list[np.ndarray]:
        """Of what was admitted."""
        vectors = self.lanes.submit(Lane.ONLINE, tokens, time.monotonic() + self._deadline_seconds)
        try:
            async with asyncio.timeout(self._deadline_seconds + GRACE_SECONDS):
                return await asyncio.wrap_future(vectors)
        except (TooLateError, TimeoutError):
            raise ApiError(503, "The request was not answered in time. Try again later.", retry_after=1) from None
        except StoppedError:
            raise ApiError(503, "The server is stopping. Try again.", retry_after=1) from None
        except Exception:  # of the encoder; whose thread has written it into the log
            raise ApiError(500, "The model had an error while encoding the request.") from None

    async def _encode_elsewhere(self, tokens: Tokens) -> Sequence[np.ndarray]:
        """By another replica, or here after all. Raises ApiError."""
        try:
            return await self._others.encode(self.name, tokens)
        except Exception as error:
            log.info("a part of %d rows comes back to this replica: %s", len(tokens.lengths), error)
            return await self.encode(tokens)

    def _admit(self, tokens: Tokens, here: int | None = None) -> None:
        """here: how many of its tokens come into this model's queue; None for all."""
        count, rate = int(tokens.lengths.sum()), self.lanes.throughput.tokens_per_second
        try:
            admit(count, self.lanes.queue(), self._most_waiting, rate, here)
        except ApiError as error:
            if error.status == 429:
                self._meter.shed()
            raise

    def _check_dimensions(self, request: EmbeddingRequest) -> None:
        if request.dimensions not in (None, self.encoder.dimension):
            raise ApiError(
                400, f"This model gives {self.encoder.dimension} dimensions, and no other number.", param="dimensions"
            )

    def _tokens(self, inputs: Sequence[str] | Sequence[Sequence[int]], truncate: bool) -> Tokens:
        texts = [item for item in inputs if isinstance(item, str)]
        ids = [np.array(item, np.int32) for item in inputs if not isinstance(item, str)]
        try:
            tokens = self.encoder.tokenize(texts) if texts else self._packed(ids)
        except EncorpusError as error:
            raise ApiError(400, first_line(error), param="input") from None
        if tokens.truncated.any() and not truncate:
            index = int(np.flatnonzero(tokens.truncated[tokens.row])[0])
            raise ApiError(
                400,
                f"'input[{index}]' is longer than this model's maximum context length of "
                f'{self.encoder.tokenize.max_tokens} tokens. Shorten it, or send "truncate": true.',
                code="context_length_exceeded",
                param="input",
            )
        return tokens

    def _packed(self, ids: Sequence[np.ndarray]) -> Tokens:
        """Raises ApiError for an id that the model does not have, which would fail the whole micro-batch."""
        tokenizer = self.encoder.tokenize
        if tokenizer.vocabulary is None:
            raise ApiError(400, "This model does not tell its vocabulary: send texts, and no token ids.", param="input")
        for index, row in enumerate(ids):
            if row.min() < 0 or row.max() >= tokenizer.vocabulary:
                raise ApiError(
                    400,
                    f"'input[{index}]' has a token id that this model does not have: they go from 0 to "
                    f"{tokenizer.vocabulary - 1}.",
                    param="input",
                )
        counts = np.array([len(row) for row in ids])
        return Tokens(
            *tokenizer.pack(ids), truncated=counts + tokenizer.special > tokenizer.max_tokens, row=np.arange(len(ids))
        )


def all_tokens(tokens: Tokens) -> int:
    """Of all texts, repeated ones and special tokens included."""
    return int(tokens.lengths[tokens.row].sum())
