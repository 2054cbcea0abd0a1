"""A job's encoder inside a replica: it tokenises by itself, and takes its turn in the batch lane of a served one."""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np

from pipelines.encoder.chunker import document_tokenizer
from pipelines.encoder.spec import ResolvedSpec
from pipelines.encoder.stats import EncodeStats
from pipelines.encoder.text_encoder import Encoded, TextEncoder
from pipelines.encoder.tokens import Tokens
from pipelines.encoder.vectors_of_rows import dtype_of_rows, vectors_of_texts
from serving.lanes.lane_thread import Cost, LaneThread, StoppedError
from serving.lanes.lanes import Lane

# Rows that are put into the lane together; putting them there keeps online requests out of it. Two such windows are in
# the lane at a time, so that there is always another row to encode.
WINDOW_ROWS = 4096
WINDOWS = 2


class LanesEnded(BaseException):
    """The thread that encodes has broken down, for which Ray Serve replaces the replica. No Exception, since it is no
    failure of the unit in hand."""


class Served(NamedTuple):
    """A served encoder, and the lanes to it. Only the lanes' own thread calls the encoder."""

    encoder: TextEncoder
    lanes: LaneThread


class BatchLaneEncoder:
    """What a job asks of a served encoder, as its own TextEncoder would give it.

    resolved: the job's spec, which `fit` has found to be met by the served one. The online lane comes first.
    """

    def __init__(self, served: Served, resolved: ResolvedSpec) -> None:
        self.resolved = resolved
        self._served = served
        self._tokenize = document_tokenizer(served.encoder.tokenizer_for(resolved), resolved.spec)

    @property
    def dimension(self) -> int:
        """The width of a vector."""
        return self._served.encoder.dimension

    @property
    def fingerprint(self) -> str:
        """The job's, whatever else the encoder is served for."""
        return self.resolved.fingerprint

    def tokenize_documents(self, texts: Iterable[str]) -> Tokens:
        """As TextEncoder.tokenize_documents."""
        return self._tokenize(texts)

    def encode_tokens(self, tokens: Tokens) -> Encoded:
        """As TextEncoder.encode_tokens, from any thread. Raises LanesEnded."""
        cost = Cost()
        states = self._rows(tokens, cost)
        dtype = dtype_of_rows(tokens, self.resolved)
        # A number that float16 cannot hold becomes infinite, and its row a reject.
        with np.errstate(over="ignore"):
            if self.resolved.pooling == "sequence":
                rows = [state.astype(dtype) for state in states]
            else:
                rows = np.empty((len(states), self.dimension), dtype)
                for place, state in enumerate(states):
                    rows[place] = state
        stats = EncodeStats(
            texts=len(tokens.row),
            distinct=len(tokens.lengths),
            tokens=int(tokens.lengths.sum()),
            padded_tokens=sum(length * count for length, count in cost.rows.items()),
            flop=sum(self._served.encoder.flop_of_row(length) * count for length, count in cost.rows.items()),
            seconds=cost.seconds,
            runtimes=(self._served.encoder.runtime,),
        )
        return Encoded(vectors_of_texts(rows, tokens, self.resolved), stats)

    def _rows(self, tokens: Tokens, cost: Cost) -> list[np.ndarray]:
        """What the served encoder gives for each of the u distinct rows: [dim], or [tokens, dim]."""
        order = np.argsort(-tokens.lengths, kind="stable")
        rows: list[np.ndarray] = [np.empty(0)] * len(order)
        windows: deque[tuple[np.ndarray, Future[list[np.ndarray]]]] = deque()

        def take_oldest() -> None:
            places, future = windows.popleft()
            for place, row in zip(places.tolist(), future.result(), strict=True):
                rows[place] = row

        try:
            for start in range(0, len(order), WINDOW_ROWS):
                if len(windows) == WINDOWS:
                    take_oldest()
                places = order[start : start + WINDOW_ROWS]
                windows.append((places, self._served.lanes.submit(Lane.BATCH, tokens.of_rows(places), cost=cost)))
            while windows:
                take_oldest()
        except StoppedError:
            raise LanesEnded from None
        finally:
            for _, future in windows:
                future.cancel()
        return rows
