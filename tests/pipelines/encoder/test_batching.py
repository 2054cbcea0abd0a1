"""Batches: every row once, full shapes from a closed set, little padding."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.encoder.batching import cheapest_batches, closed_rows, cut_batches, full_batch_rows, length_ladder

BUDGET = 512
row_lengths = st.lists(st.integers(2, 512), max_size=400).map(lambda lengths: np.array(lengths, np.int32))


def test_the_ladder_rises_by_an_eighth_and_ends_at_the_maximum():
    assert length_ladder(20) == (8, 16, 20)
    assert length_ladder(160)[-3:] == (128, 144, 160)


@given(st.integers(1, 4096))
def test_a_rung_is_at_most_an_eighth_above_the_one_below_or_eight_tokens(max_tokens):
    rungs = length_ladder(max_tokens)
    assert rungs[-1] == max_tokens
    assert all(0 < above - below <= max(8, below / 8) for below, above in itertools.pairwise(rungs))


@given(row_lengths)
def test_every_row_is_in_exactly_one_batch(lengths):
    batches = cut_batches(lengths, length_ladder(512), BUDGET)
    rows = np.concatenate([batch.rows for batch in batches]) if batches else np.empty(0, int)
    assert sorted(rows) == list(range(len(lengths)))


@given(row_lengths)
def test_no_row_is_longer_than_its_batch(lengths):
    for batch in cut_batches(lengths, length_ladder(512), BUDGET):
        assert lengths[batch.rows].max() <= batch.length


@given(row_lengths)
def test_every_batch_but_the_last_is_full_for_its_length(lengths):
    batches = cut_batches(lengths, length_ladder(512), BUDGET)
    assert all(len(batch.rows) == full_batch_rows(batch.length, BUDGET) for batch in batches[:-1])


@given(row_lengths)
def test_batches_keep_within_the_token_budget(lengths):
    for batch in cut_batches(lengths, length_ladder(512), BUDGET):
        assert len(batch.rows) * batch.length <= BUDGET


def test_a_row_over_the_budget_is_a_batch_of_its_own():
    batches = cut_batches(np.array([600, 600]), (600,), BUDGET)
    assert [len(batch.rows) for batch in batches] == [1, 1]


@given(st.integers(1, 64), st.sampled_from(length_ladder(128)))
def test_row_counts_come_from_a_small_closed_set(rows, length):
    full = full_batch_rows(length, 512)
    closed = closed_rows(min(rows, full), length, 512)
    assert min(rows, full) <= closed <= full
    assert closed in {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, full // 2, full}
    assert closed <= 1.25 * rows


def cost(lengths, batches, call_tokens):
    return sum(lengths[rows].max() * len(rows) + call_tokens for rows in batches)


@given(row_lengths, st.integers(0, 64))
def test_of_any_shape_batches_have_every_row_once_and_keep_the_budget(lengths, call_tokens):
    batches = cheapest_batches(lengths, BUDGET, call_tokens)
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(lengths)))
    assert all(lengths[batch.rows].max() == batch.length for batch in batches)
    assert all(len(batch.rows) == 1 or len(batch.rows) * batch.length <= BUDGET for batch in batches)


@given(row_lengths.filter(len))
def test_of_any_shape_batches_come_longest_first(lengths):
    ordered = lengths[np.concatenate([batch.rows for batch in cheapest_batches(lengths, BUDGET, 16)])]
    assert (np.diff(ordered) <= 0).all()


@given(st.lists(st.integers(2, 200), min_size=1, max_size=8), st.integers(0, 64))
def test_of_any_shape_no_other_cut_of_the_sorted_rows_costs_less(given, call_tokens):
    lengths = np.array(given)
    order = np.argsort(-lengths)
    places = range(1, len(lengths))
    cuts = itertools.chain.from_iterable(itertools.combinations(places, count) for count in range(len(lengths)))
    allowed = [
        cut
        for cut in (np.split(order, cuts) for cuts in cuts)
        if all(len(rows) == 1 or len(rows) * lengths[rows].max() <= BUDGET for rows in cut)
    ]
    found = [batch.rows for batch in cheapest_batches(lengths, BUDGET, call_tokens)]
    assert cost(lengths, found, call_tokens) == min(cost(lengths, cut, call_tokens) for cut in allowed)
