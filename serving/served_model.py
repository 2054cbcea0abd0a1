"""A model that is served: what a request asks for becomes rows in the online lane, and their vectors its answer."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from pipelines.encoder.tokens import Tokens
from pipelines.errors import EncorpusError, first_line
from serving.admission import Throughput, admit
from serving.api_error import ApiError
from serving.lane_thread import LaneThread, MicroBatchEncoder, StoppedError, TooLateError
from serving.lanes import Lane, MicroBatch
from serving.openai_api import EmbeddingRequest


class ServedTokenizer(Protocol):
    """What serving needs of a Tokenizer. max_tokens, special: as there."""

    max_tokens: int
    special: int

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


class Embedded(NamedTuple):
    """vectors: float32 [n, dim], in the order of the inputs. tokens: of all inputs, special ones included."""

    vectors: np.ndarray
    tokens: int


class ServedModel:
    """One encoder behind its lanes.

    most_waiting: tokens that may wait in the online lane. batch_floor: as for Lanes. deadline_seconds: after which a
    request is not worth computing. on_micro_batch: as for LaneThread.
    """

    def __init__(
        self,
        name: str,
        encoder: ServedEncoder,
        most_waiting: int,
        batch_floor: float,
        deadline_seconds: float,
        on_micro_batch: Callable[[MicroBatch, float], None] = lambda batch, seconds: None,
    ) -> None:
        self.name = name
        self.encoder = encoder
        self.throughput = Throughput()
        self._most_waiting = most_waiting
        self._deadline_seconds = deadline_seconds
        self._told = on_micro_batch
        self.lanes = LaneThread(encoder, batch_floor, self._measure)

    def _measure(self, batch: MicroBatch, seconds: float) -> None:
        self.throughput.add(sum(row.tokens for row in batch.rows), seconds)
        self._told(batch, seconds)

    async def embed(self, request: EmbeddingRequest) -> Embedded:
        """The vectors of a request's inputs. Cancelling it takes its rows out of the queue.

        Raises ApiError: what cannot be served, or not now.
        """
        self._check_dimensions(request)
        # Tokenising takes a core for a while, and others wait for the event loop.
        tokens = await asyncio.to_thread(self._tokens, request)
        distinct = int(tokens.lengths.sum())
        admit(distinct, self.lanes.waiting(Lane.ONLINE), self._most_waiting, self.throughput.tokens_per_second)
        deadline = time.monotonic() + self._deadline_seconds
        try:
            vectors = await asyncio.wrap_future(self.lanes.submit(Lane.ONLINE, tokens, deadline))
        except TooLateError:
            raise ApiError(503, "The request was not answered in time. Try again later.", retry_after=1) from None
        except StoppedError:
            raise ApiError(503, "The server is stopping. Try again.", retry_after=1) from None
        return Embedded(np.stack(vectors)[tokens.row].astype(np.float32), int(tokens.lengths[tokens.row].sum()))

    def _check_dimensions(self, request: EmbeddingRequest) -> None:
        if request.dimensions not in (None, self.encoder.dimension):
            raise ApiError(
                400, f"This model gives {self.encoder.dimension} dimensions, and no other number.", param="dimensions"
            )

    def _tokens(self, request: EmbeddingRequest) -> Tokens:
        texts = [item for item in request.inputs if isinstance(item, str)]
        ids = [np.array(item, np.int32) for item in request.inputs if not isinstance(item, str)]
        try:
            tokens = self.encoder.tokenize(texts) if texts else self._packed(ids)
        except EncorpusError as error:
            raise ApiError(400, first_line(error), param="input") from None
        if tokens.truncated.any() and not request.truncate:
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
        tokenizer = self.encoder.tokenize
        counts = np.array([len(row) for row in ids])
        return Tokens(
            *tokenizer.pack(ids), truncated=counts + tokenizer.special > tokenizer.max_tokens, row=np.arange(len(ids))
        )
