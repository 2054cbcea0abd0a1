"""The thread behind the lanes, with an encoder that can be held back: whose vectors come when, and what is left out."""

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest

from pipelines.encoder.batching import length_ladder
from pipelines.encoder.tokens import Tokens
from serving.lanes.lane_thread import Cost, LaneThread, StoppedError, TooLateError
from serving.lanes.lanes import Lane

SECONDS = 30


class SlowEncoder:
    """Gives [first token, tokens] for each row; begins a micro-batch only when it is let."""

    ladder = length_ladder(32)
    token_budget = 128
    pads = True

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.seen: list[list[int]] = []
        self.failing = False
        self.poison: int | None = None

    def encode_batch(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray) -> np.ndarray:
        self.seen.append(word_ids[:, 0].tolist())
        self.begun.release()
        assert self.let.acquire(timeout=SECONDS)
        if self.failing or self.poison in word_ids[:, 0]:
            raise RuntimeError("out of memory")
        return np.stack([word_ids[:, 0], mask.sum(axis=1)], axis=1).astype(np.float32)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def encoder():
    return SlowEncoder()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lanes(encoder, clock):
    thread = LaneThread(encoder, batch_floor=0.1, clock=clock)
    yield thread
    encoder.let.release(1000)
    thread.stop()


def rows(*first: int, tokens: int = 30) -> Tokens:
    """Rows that begin with these numbers; four of the usual length fill a micro-batch, and two half of one."""
    ids = np.ones((len(first), 32), np.int32)
    ids[:, 0] = first
    mask = np.zeros_like(ids)
    mask[:, :tokens] = 1
    lengths = np.full(len(first), tokens, np.int32)
    return Tokens(ids, mask, np.zeros_like(ids), lengths, np.zeros(len(first), bool), np.arange(len(first)))


def test_each_row_gets_its_own_vector(lanes, encoder):
    encoder.let.release(1000)
    futures = [lanes.submit(lane, rows(*numbers)) for lane in Lane for numbers in [(1,), (2, 3, 4)]]
    found = [[vector.tolist() for vector in future.result(SECONDS)] for future in futures]
    assert found == [[[1, 30]], [[2, 30], [3, 30], [4, 30]]] * 2


def test_a_request_without_rows_is_done_at_once(lanes):
    assert lanes.submit(Lane.ONLINE, rows()).result(0) == []


def test_an_online_request_waits_for_the_micro_batch_at_hand_and_no_longer(lanes, encoder):
    batch = lanes.submit(Lane.BATCH, rows(*range(1, 9)))
    assert encoder.begun.acquire(timeout=SECONDS)
    online = lanes.submit(Lane.ONLINE, rows(100))
    encoder.let.release(2)
    online.result(SECONDS)
    assert not batch.done()
    assert encoder.seen[:2] == [[1, 2, 3, 4], [100, 5]]


def test_a_request_costs_its_padded_rows_and_its_share_of_the_micro_batches(lanes, encoder, clock):
    lanes.submit(Lane.ONLINE, rows(1))
    assert encoder.begun.acquire(timeout=SECONDS)
    cost = Cost()
    batch = lanes.submit(Lane.BATCH, rows(2, 3, 4), cost=cost)
    lanes.submit(Lane.ONLINE, rows(5))
    for seconds in (8.0, 4.0, 2.0):  # one online; one online beside one of the batch; two of the batch
        clock.now += seconds
        encoder.let.release()
        assert seconds == 2.0 or encoder.begun.acquire(timeout=SECONDS)
    batch.result(SECONDS)
    assert (cost.rows, cost.seconds) == ({32: 3}, 4.0 / 2 + 2.0)


def test_what_was_cancelled_is_not_encoded(lanes, encoder):
    lanes.submit(Lane.ONLINE, rows(1))
    assert encoder.begun.acquire(timeout=SECONDS)
    unwanted = lanes.submit(Lane.ONLINE, rows(2))
    wanted = lanes.submit(Lane.ONLINE, rows(3))
    assert unwanted.cancel()
    encoder.let.release(1000)
    wanted.result(SECONDS)
    with pytest.raises(CancelledError):
        unwanted.result(0)
    assert encoder.seen == [[1], [3]]


def test_what_is_too_late_is_not_encoded_and_says_so(lanes, encoder, clock):
    lanes.submit(Lane.ONLINE, rows(1))
    assert encoder.begun.acquire(timeout=SECONDS)
    late = lanes.submit(Lane.ONLINE, rows(2), deadline=5.0)
    clock.now = 6.0
    encoder.let.release(1000)
    with pytest.raises(TooLateError):
        late.result(SECONDS)
    assert encoder.seen == [[1]]


def test_a_micro_batch_that_fails_fails_its_requests_and_no_others(lanes, encoder):
    encoder.failing = True
    failing = lanes.submit(Lane.ONLINE, rows(1))
    assert encoder.begun.acquire(timeout=SECONDS)
    encoder.let.release()
    with pytest.raises(RuntimeError, match="out of memory"):
        failing.result(SECONDS)
    encoder.failing = False
    encoder.let.release(1000)
    assert len(lanes.submit(Lane.ONLINE, rows(2)).result(SECONDS)) == 1


def test_who_is_in_a_micro_batch_with_one_that_fails_is_encoded_again_without_it(lanes, encoder):
    encoder.poison = 2
    first = lanes.submit(Lane.ONLINE, rows(9))
    assert encoder.begun.acquire(timeout=SECONDS)
    poisoned, good, batch = (
        lanes.submit(lane, rows(*ids)) for lane, *ids in ((Lane.ONLINE, 2), (Lane.ONLINE, 3), (Lane.BATCH, 4, 5, 6, 7))
    )
    encoder.let.release(1000)
    with pytest.raises(RuntimeError, match="out of memory"):
        poisoned.result(SECONDS)
    assert [vector[0] for vector in good.result(SECONDS)] == [3]
    assert [vector[0] for vector in batch.result(SECONDS)] == [4, 5, 6, 7]
    assert len(first.result(SECONDS)) == 1
    assert any({2, 3} <= set(together) for together in encoder.seen)


def test_what_waits_at_the_end_fails_and_so_does_what_comes_later(lanes, encoder):
    at_hand = lanes.submit(Lane.ONLINE, rows(1))
    assert encoder.begun.acquire(timeout=SECONDS)
    waiting = lanes.submit(Lane.BATCH, rows(2))
    stopping = threading.Thread(target=lanes.stop)
    stopping.start()
    encoder.let.release()
    stopping.join(SECONDS)
    assert len(at_hand.result(0)) == 1
    for future in (waiting, lanes.submit(Lane.ONLINE, rows(3))):
        with pytest.raises(StoppedError):
            future.result(0)


def test_tokens_that_wait_are_counted(lanes, encoder):
    lanes.submit(Lane.BATCH, rows(1, 2, 3, 4, 5))
    assert encoder.begun.acquire(timeout=SECONDS)
    assert (lanes.waiting(Lane.BATCH), lanes.waiting(Lane.ONLINE)) == (30, 0)
