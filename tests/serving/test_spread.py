"""Large requests are spread over replicas: who gets which rows, and what comes of one that fails."""

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.encoder.tokens import Tokens
from serving.http.api_error import ApiError
from serving.http.openai_api import EmbeddingRequest
from serving.served_model import ServedModel
from serving.spread import PART_MICRO_BATCHES, encode_spread, parts_of
from tests.serving.fake_encoder import FakeEncoder, vector_of

TEXTS = tuple(f"{'a' * (number % 9 + 1)} text of {'b' * (number // 9 + 1)}" for number in range(400))


class Other:
    """Another replica, or one that has no room."""

    def __init__(self, count: int, full: bool = False) -> None:
        self.count = count
        self._full = full
        self._encoder = FakeEncoder()
        self.parts: list[int] = []

    async def encode(self, model: str, tokens: Tokens) -> Sequence[np.ndarray]:
        self.parts.append(len(tokens.lengths))
        if self._full:
            raise RuntimeError("no room")
        return self._encoder.encode_batch(tokens.word_ids, tokens.mask, tokens.type_ids)


def model_beside(other: Other, most_waiting: int = 1 << 20) -> ServedModel:
    return ServedModel("small", FakeEncoder(), most_waiting, batch_floor=0.1, deadline_seconds=30, others=other)


def embedded(model: ServedModel, texts: tuple[str, ...]) -> list[list[float]]:
    try:
        return asyncio.run(model.embed(EmbeddingRequest("small", texts))).vectors.tolist()
    finally:
        model.stop()


@pytest.fixture
def other() -> Iterator[Other]:
    yield Other(count=2)


@given(st.lists(st.integers(2, 64), min_size=1, max_size=200), st.integers(1, 8), st.integers(16, 256))
def test_every_row_is_in_one_part_and_parts_are_as_large(lengths, replicas, budget):
    counts = np.array(lengths)
    parts = parts_of(counts, replicas, budget)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    assert 1 <= len(parts) <= replicas
    if len(parts) > 1:
        tokens = [int(counts[part].sum()) for part in parts]
        assert max(tokens) - min(tokens) <= max(lengths)
        assert sum(tokens) >= len(parts) * PART_MICRO_BATCHES * budget


def test_a_large_request_is_encoded_by_all_replicas(other):
    assert embedded(model_beside(other), TEXTS) == [vector_of(text) for text in TEXTS]
    assert [len(TEXTS) // 3] * 2 == other.parts


def test_a_small_request_stays_here(other):
    assert embedded(model_beside(other), TEXTS[:10]) == [vector_of(text) for text in TEXTS[:10]]
    assert other.parts == []


def test_a_part_for_which_there_is_no_room_elsewhere_comes_back():
    full = Other(count=2, full=True)
    assert embedded(model_beside(full), TEXTS) == [vector_of(text) for text in TEXTS]
    assert len(full.parts) == 2


def test_what_is_more_than_the_queue_holds_is_refused_however_many_replicas_there_are(other):
    with pytest.raises(ApiError, match="send it in parts"):
        embedded(model_beside(other, most_waiting=1500), TEXTS)


def test_a_failure_here_ends_what_goes_on_elsewhere():
    tokens = FakeEncoder.tokenize(TEXTS)
    ended = []

    async def here(part: Tokens) -> Sequence[np.ndarray]:
        raise ApiError(503, "stopping")

    async def elsewhere(part: Tokens) -> Sequence[np.ndarray]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(len(part.lengths))
        return []

    async def spread() -> None:
        with pytest.raises(ApiError, match="stopping"):
            await encode_spread(tokens, parts_of(tokens.lengths, 3, 64), here, elsewhere)
        await asyncio.sleep(0)

    asyncio.run(spread())
    assert len(ended) == 2
