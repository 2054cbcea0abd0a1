"""The lanes: every row once, people first, a floor for the batch job, and nobody waits for ever."""

import copy

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.encoder.batching import full_batch_rows, half_batch_rows, length_ladder
from serving.lanes.lanes import SMALL_AFTER_PEOPLE, Lane, Lanes, MicroBatch

LADDER = length_ladder(64)
BUDGET = 256

LENGTHS = st.lists(st.integers(1, 64), min_size=1, max_size=40).map(np.array)
REQUESTS = st.lists(st.tuples(st.sampled_from(Lane), LENGTHS), max_size=12)


def lanes_of(requests=(), floor=0.1) -> Lanes:
    lanes = Lanes(LADDER, BUDGET, floor)
    for lane, lengths in requests:
        lanes.put(lane, np.asarray(lengths))
    return lanes


def drained(lanes: Lanes) -> list[MicroBatch]:
    batches = []
    while batch := lanes.next():
        batches.append(batch)
    return batches


@given(REQUESTS)
def test_every_row_is_encoded_once(requests):
    batches = drained(lanes_of(requests))
    rows = [(row.request, row.index) for batch in batches for row in batch.rows]
    due = [(number, index) for number, (_, lengths) in enumerate(requests) for index in range(len(lengths))]
    assert sorted(rows) == due


@given(REQUESTS)
def test_a_micro_batch_fits_its_length_and_the_budget(requests):
    for batch in drained(lanes_of(requests)):
        assert batch.length in LADDER
        assert 1 <= len(batch.rows) <= full_batch_rows(batch.length, BUDGET)
        assert all(row.tokens <= batch.length for row in batch.rows)


@given(REQUESTS)
@settings(deadline=None)
def test_a_micro_batch_of_one_lane_is_full_while_rows_wait_that_fit(requests):
    lanes = lanes_of([(Lane.BATCH, lengths) for _, lengths in requests])
    while batch := lanes.next():
        room = full_batch_rows(batch.length, BUDGET) - len(batch.rows)
        left = [row.tokens for later in drained_copy(lanes) for row in later.rows]
        assert not room or all(tokens > batch.length for tokens in left)


@given(REQUESTS)
@settings(deadline=None)
def test_batch_rows_fill_a_micro_batch_of_people_up_to_half_or_stay_out(requests):
    lanes = lanes_of(requests, floor=0)
    while batch := lanes.next():
        if 0 < batch.online < len(batch.rows):
            assert len(batch.rows) == half_batch_rows(batch.length, BUDGET)


def drained_copy(lanes: Lanes) -> list[MicroBatch]:
    return drained(copy.deepcopy(lanes))


@given(REQUESTS, LENGTHS.filter(lambda lengths: len(lengths) <= 3))
def test_a_lone_online_request_is_in_the_next_micro_batch_whatever_the_batch_lane_holds(requests, lengths):
    lanes = lanes_of([(Lane.BATCH, rows) for _, rows in requests])
    number = lanes.put(Lane.ONLINE, lengths)
    batch = lanes.next()
    assert batch is not None
    assert batch.online == len(lengths)
    assert {row.request for row in batch.rows[: batch.online]} == {number}


def test_batch_rows_fill_half_of_what_online_rows_leave_room_in():
    lanes = lanes_of([(Lane.BATCH, [16] * 100), (Lane.ONLINE, [12])])
    batch = lanes.next()
    assert batch is not None
    assert (batch.length, batch.online, len(batch.rows)) == (16, 1, BUDGET // 2 // 16)


def test_micro_batches_of_the_batch_lane_are_half_as_large_for_a_while_after_one_of_people():
    lanes = lanes_of([(Lane.BATCH, [16] * 10_000)])
    assert rows_of(lanes, 2) == [BUDGET // 16] * 2
    lanes.put(Lane.ONLINE, np.array([60]))
    small = [BUDGET // 2 // 16] * SMALL_AFTER_PEOPLE
    assert rows_of(lanes, SMALL_AFTER_PEOPLE + 2) == [1, *small, BUDGET // 16]


def rows_of(lanes: Lanes, count: int) -> list[int]:
    """The rows of the next micro-batches."""
    return [len(batch.rows) for _ in range(count) if (batch := lanes.next())]


def test_rows_that_are_much_shorter_make_nobody_wait():
    lanes = lanes_of([(Lane.BATCH, [8] * 100), (Lane.ONLINE, [60])])
    batch = lanes.next()
    assert batch is not None
    assert (batch.online, len(batch.rows)) == (1, 1)


def test_rows_with_the_least_padding_fill_the_room():
    lanes = lanes_of([(Lane.BATCH, [8] * 20 + [32] * 20), (Lane.ONLINE, [30])])
    batch = lanes.next()
    assert batch is not None
    assert [row.tokens for row in batch.rows] == [30] + [32] * 3


@given(st.integers(0, 5), st.integers(1, 64))
def test_a_short_request_does_not_wait_for_a_long_list(before, tokens):
    lanes = lanes_of([(Lane.ONLINE, [40] * 500)])
    for _ in range(before):
        lanes.next()
    number = lanes.put(Lane.ONLINE, np.array([tokens]))
    # A list that never led comes before it.
    batches = [lanes.next() for _ in range(1 if before else 2)]
    assert number in {row.request for batch in batches if batch for row in batch.rows}


def test_a_long_list_does_not_wait_for_ever_beside_short_requests():
    lanes = lanes_of([(Lane.ONLINE, [64] * 40)])
    done = 0
    for _ in range(40):
        for _ in range(32):
            lanes.put(Lane.ONLINE, np.array([8]))
        batch = lanes.next()
        assert batch is not None
        done += sum(row.request == 0 for row in batch.rows)
    assert done == 40


@given(st.sampled_from([0.05, 0.1, 0.3]), st.integers(9, 64), st.integers(1, 64))
@settings(deadline=None, max_examples=20)
def test_a_batch_job_gets_its_floor_beside_people_who_never_pause(floor, online, batch_tokens):
    lanes = lanes_of([(Lane.BATCH, [batch_tokens] * 10_000)], floor)
    positions = dict.fromkeys(Lane, 0)
    for _ in range(200):
        for _ in range(2 * BUDGET // online):
            lanes.put(Lane.ONLINE, np.array([online]))
        batch = lanes.next()
        assert batch is not None
        positions[Lane.ONLINE] += batch.online * batch.length
        positions[Lane.BATCH] += (len(batch.rows) - batch.online) * batch.length
    # One micro-batch may be owed still.
    assert positions[Lane.BATCH] + 2 * BUDGET >= floor * sum(positions.values())


def test_without_a_floor_batch_rows_only_fill():
    lanes = lanes_of([(Lane.BATCH, [64] * 10), (Lane.ONLINE, [64] * 40)], floor=0)
    assert all(batch.online == len(batch.rows) for batch in [lanes.next() for _ in range(10)] if batch)


def test_the_oldest_batch_request_is_done_first():
    lanes = lanes_of([(Lane.BATCH, [16] * 32), (Lane.BATCH, [64] * 32)])
    batches = drained(lanes)
    assert {row.request for batch in batches[:2] for row in batch.rows} == {0}


def test_what_is_too_late_is_not_encoded():
    lanes = lanes_of()
    late = lanes.put(Lane.ONLINE, np.array([8]), deadline=5.0)
    early = lanes.put(Lane.ONLINE, np.array([8]), deadline=9.0)
    assert lanes.expire(4.0) == []
    assert lanes.expire(5.0) == [late]
    assert [row.request for batch in drained(lanes) for row in batch.rows] == [early]
    assert lanes.expire(100.0) == []


@given(REQUESTS.filter(bool), st.data())
def test_what_nobody_wants_any_more_is_not_encoded(requests, data):
    lanes = lanes_of(requests)
    gone = data.draw(st.sets(st.integers(0, len(requests) - 1)))
    for number in gone:
        lanes.drop(number)
    assert not gone & {row.request for batch in drained(lanes) for row in batch.rows}
    assert [lanes.waiting(lane) for lane in Lane] == [0, 0]


@given(REQUESTS)
def test_tokens_that_wait_are_counted(requests):
    lanes = lanes_of(requests)
    for lane in Lane:
        assert lanes.waiting(lane) == sum(int(lengths.sum()) for of, lengths in requests if of is lane)
    drained(lanes)
    assert [lanes.waiting(lane) for lane in Lane] == [0, 0]
