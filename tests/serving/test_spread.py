"""Large requests are spread over replicas: who gets which rows, and what comes of one that fails."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.encoder.tokens import Tokens
from serving.admission import Throughput
from serving.http.api_error import ApiError
from serving.http.openai_api import EmbeddingRequest
from serving.served_model import ServedModel
from serving.spread import PART_SECONDS, gathered, parts_of
from tests.serving.fake_encoder import FakeEncoder, vector_of

TEXTS = tuple(f"{'a' * (number % 9 + 1)} text of {'b' * (number // 9 + 1)}" for number in range(400))


class Other:
    """Another replica; with `answers` cleared, one that never answers."""

    def __init__(self, count: int, refuses: bool = False) -> None:
        self.count = count
        self.refuses = refuses
        self.answers = True
        self.parts: list[int] = []
        self._model = ServedModel("small", FakeEncoder(), 1 << 20, batch_floor=0.1, deadline_seconds=30)

    async def encode(self, model: str, fingerprint: str, tokens: Tokens, seconds: float) -> Sequence[np.ndarray]:
        self.parts.append(len(tokens.lengths))
        if not self.answers:
            await asyncio.Event().wait()
        found = await self._model.encode_part("other" if self.refuses else fingerprint, tokens, seconds)
        if found is None:
            raise RuntimeError("no room")
        return list(found)


def model_beside(other: Other, most_waiting: int = 1 << 20, deadline: float = 30) -> ServedModel:
    model = ServedModel("small", FakeEncoder(), most_waiting, batch_floor=0.1, deadline_seconds=deadline, others=other)
    model.lanes.throughput = SlowRate()
    return model


class SlowRate(Throughput):
    """Of an encoder for which the texts of these tests are a lot of work."""

    @property
    def tokens_per_second(self) -> float:
        return 1000.0


def embedded(model: ServedModel, texts: tuple[str, ...]) -> list[list[float]]:
    try:
        return asyncio.run(model.embed(EmbeddingRequest("small", texts))).vectors.tolist()
    finally:
        model.stop()


@given(st.lists(st.integers(2, 64), min_size=1, max_size=200), st.integers(1, 8), st.floats(10, 1e6))
def test_every_row_is_in_one_part_and_parts_are_as_large(lengths, replicas, rate):
    counts = np.array(lengths)
    parts = parts_of(counts, replicas, rate)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    assert 1 <= len(parts) <= replicas
    if len(parts) > 1:
        tokens = [int(counts[part].sum()) for part in parts]
        assert max(tokens) - min(tokens) <= max(lengths)
        assert sum(tokens) >= len(parts) * PART_SECONDS * rate


def test_nothing_is_spread_before_the_rate_is_known():
    assert len(parts_of(np.full(1000, 50), 4, None)) == 1


def test_a_large_request_is_encoded_by_all_replicas():
    other = Other(count=2)
    assert embedded(model_beside(other), TEXTS) == [vector_of(text) for text in TEXTS]
    assert sorted(other.parts) == [len(TEXTS) // 3] * 2


def test_the_tokens_of_a_large_request_are_too_whatever_it_came_to():
    other = Other(count=2)
    model = model_beside(other)
    asyncio.run(model.encode(model.encoder.tokenize(TEXTS), model.deadline()))
    model.stop()
    assert sorted(other.parts) == [len(TEXTS) // 3] * 2


def test_a_small_request_stays_here():
    other = Other(count=2)
    assert embedded(model_beside(other), TEXTS[:10]) == [vector_of(text) for text in TEXTS[:10]]
    assert other.parts == []


def test_a_part_that_another_replica_does_not_take_comes_back():
    other = Other(count=2, refuses=True)
    assert embedded(model_beside(other), TEXTS) == [vector_of(text) for text in TEXTS]
    assert len(other.parts) == 2


def test_what_a_replica_does_not_answer_is_encoded_here_while_there_is_time():
    other = Other(count=2)
    other.answers = False
    assert embedded(model_beside(other, deadline=4), TEXTS) == [vector_of(text) for text in TEXTS]


def test_what_is_away_counts_as_waiting_since_it_may_come_back():
    other = Other(count=2)
    other.answers = False
    tokens = int(FakeEncoder.tokenize(TEXTS).lengths.sum())
    model = model_beside(other, most_waiting=int(1.5 * tokens))
    encoder = model.encoder
    assert isinstance(encoder, FakeEncoder)
    encoder.free.clear()

    async def ask_twice() -> None:
        first = asyncio.ensure_future(model.embed(EmbeddingRequest("small", TEXTS)))
        while len(other.parts) < 2:
            await asyncio.sleep(0)
        with pytest.raises(ApiError) as refused:
            await model.embed(EmbeddingRequest("small", TEXTS))
        assert refused.value.status == 429
        first.cancel()

    asyncio.run(ask_twice())
    encoder.free.set()
    model.stop()


@pytest.mark.parametrize(("refuses", "more"), [(True, 1), (False, len(TEXTS) // 2)], ids=["comes back", "is done"])
def test_what_comes_back_or_is_done_is_not_away_any_more(refuses, more):
    other = Other(count=2, refuses=refuses)
    model = model_beside(other, most_waiting=int(FakeEncoder.tokenize(TEXTS).lengths.sum()))
    encoder = model.encoder
    assert isinstance(encoder, FakeEncoder)
    encoder.free.clear()

    async def ask_and_ask_again() -> None:
        first = asyncio.ensure_future(model.embed(EmbeddingRequest("small", TEXTS)))
        while len(other.parts) < 2:
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await until_admitted(model, TEXTS[:more])
        first.cancel()

    try:
        asyncio.run(ask_and_ask_again())
    finally:
        encoder.free.set()
        model.stop()


async def until_admitted(model: ServedModel, texts: tuple[str, ...]) -> None:
    """Asks again and again."""
    taken = asyncio.Event()
    while not taken.is_set():
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(0.1):
                await model.embed(EmbeddingRequest("small", texts), lambda tokens: taken.set())


def test_what_is_more_than_the_queue_holds_is_refused_however_many_replicas_there_are():
    other = Other(count=2)
    with pytest.raises(ApiError, match="send it in parts"):
        embedded(model_beside(other, most_waiting=1500), TEXTS)
    assert other.parts == []


@pytest.mark.parametrize("most_waiting", [60, 1 << 20])
def test_a_part_of_another_replicas_request_is_taken_where_there_is_room(most_waiting):
    model = ServedModel("small", FakeEncoder(), most_waiting, batch_floor=0.1, deadline_seconds=30)
    tokens = model.encoder.tokenize(TEXTS[:40])
    found = asyncio.run(model.encode_part("f" * 64, tokens, 30.0))
    model.stop()
    assert (found is None) == (most_waiting == 60)


def test_a_failure_here_ends_what_goes_on_elsewhere():
    ended = []

    async def here() -> Sequence[np.ndarray]:
        raise ApiError(503, "stopping")

    async def elsewhere(part: np.ndarray) -> Sequence[np.ndarray]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(len(part))
        return []

    async def spread() -> None:
        first, *rest = parts_of(np.full(300, 50), 3, 1000.0)
        with pytest.raises(ApiError, match="stopping"):
            await gathered([first, *rest], [here(), *map(elsewhere, rest)])
        await asyncio.sleep(0)

    asyncio.run(spread())
    assert ended == [100, 100]
