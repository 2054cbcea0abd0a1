"""What is kept of a run's records: sums that are theirs, a bounded size, and clocks that are not trusted."""

import gc
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.job.history import REASONS, SLOWEST, History
from pipelines.job.progress import Totals
from tests.pipelines.report.runs import MAX_TOKENS, STARTED, Clock, failed, history_at, record_of, resized

RECORDS = st.lists(
    st.builds(
        lambda number, rows, seconds, skew, retries, bad: (
            failed(number, STARTED + skew, retries=retries)
            if bad
            else record_of(number, rows, seconds, STARTED + skew, retries=retries)
        ),
        st.integers(0, 99),
        st.integers(0, 30),
        st.floats(0, 5000),
        st.floats(-1e6, 1e6),
        st.integers(0, 9),
        st.booleans(),
    ),
    max_size=20,
    unique_by=lambda record: record.unit,
)


@settings(deadline=None)
@given(RECORDS, st.floats(0, 100))
def test_totals_over_time_and_lengths_are_those_of_the_records(records, pause):
    clock = Clock()
    history = history_at(clock)
    for record in records:
        clock.now += pause
        history.add(record)
    time, shards = history.over_time(), [record.shard for record in records if record.shard]
    np.testing.assert_allclose(time.rows.sum(), sum(shard.rows for shard in shards))
    np.testing.assert_allclose(time.tokens.sum(), sum(shard.tokens for shard in shards))
    np.testing.assert_allclose(time.padded_tokens.sum(), sum(record.stats.padded_tokens for record in records))
    np.testing.assert_allclose(time.encoding.sum(), sum(record.stats.seconds for record in records))
    np.testing.assert_allclose(time.retries.sum(), sum(record.retries for record in records))
    assert sum(history.lengths().counts) == history.totals.rows
    assert history.totals.retries == sum(record.retries for record in records)
    assert history.bytes == sum(shard.bytes for shard in shards)


def test_a_unit_that_two_workers_did_counts_once():
    clock = Clock()
    history = history_at(clock)
    clock.now += 10
    first, second = (record_of(0, rows=10, worker=worker, stop=clock.now) for worker in ("a:1", "b:1"))
    for record in (failed(0, clock.now), first, second):
        history.add(record)
    assert (history.totals.rows, history.over_time().rows.sum()) == (10, pytest.approx(10))
    assert len(history.norms()) == 1


def test_norms_stand_in_the_order_of_the_corpus_whatever_came_first():
    history = history_at(Clock())
    for number in (3, 0, 12, 1):
        history.add(record_of(number, rows=number + 1))
    assert history.norms()[:, 0].tolist() == [1, 2, 4, 13]


def test_of_a_shard_some_numbers_are_kept_whatever_its_footer_says():
    history = History(Totals(0, None), MAX_TOKENS, STARTED, Clock())
    sample, units = record_of(0, rows=10), 2000
    for number in range(100):  # until workers, bins and the slowest units are there
        history.add(resized(sample, number, 10, 1.0, STARTED))
    tracemalloc.start()
    for number in range(100, 100 + units):
        history.add(resized(sample, number, 10, 1.0, STARTED))
    gc.collect()  # which also frees the tuples that Python keeps for the next ones
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept / units < 400


def test_rates_are_those_up_to_the_last_record_whatever_takes_time_afterwards():
    clock = Clock()
    history = history_at(clock)
    for number in range(3):
        clock.now += 10
        history.add(record_of(number, rows=100, stop=clock.now))
    clock.now += 970
    assert history.progress().rows_per_second == 10


def test_retries_of_storage_after_the_last_record_count():
    history = history_at(Clock())
    history.add(record_of(0, retries=2))
    history.totals.retries += 3
    assert history.progress().retries == 5


def test_a_worker_s_clock_that_is_ahead_or_behind_moves_its_units_into_the_run():
    clock = Clock()
    history = history_at(clock)
    clock.now += 100
    history.add(record_of(0, rows=10, seconds=20, stop=STARTED + 5000))
    history.add(record_of(1, rows=30, seconds=20, stop=STARTED - 5000))
    time = history.over_time()
    middle = len(time.rows) // 2
    assert (round(time.rows[:middle].sum()), round(time.rows[middle:].sum())) == (30, 10)


def test_the_slowest_units_are_kept_and_no_more():
    clock = Clock()
    history = history_at(clock)
    for number in range(50):
        history.add(record_of(number, rows=1, seconds=(number * 7) % 50, stop=clock.now))
    assert [unit.seconds for unit in history.slowest()] == list(range(49, 49 - SLOWEST, -1))


def test_for_each_reason_the_unit_with_most_rejects_is_kept_and_for_only_some_reasons():
    history = history_at(Clock())
    history.add(record_of(0, rows=1, reasons={"null": 2, "empty": 9}))
    history.add(record_of(1, rows=1, reasons={"null": 5, "empty": 1}))
    assert history.rejecting_units() == {"null": "part-000000-000001", "empty": "part-000000-000000"}
    history.add(record_of(2, rows=1, reasons={f"reason {n}": 1 for n in range(1000)}))
    assert len(history.rejecting_units()) == REASONS


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.integers(0, 60).map(str), st.integers(1, 9), min_size=1), max_size=40))
def test_the_most_frequent_reasons_have_a_unit_to_show_examples_of(units):
    history = history_at(Clock())
    for number, reasons in enumerate(units):
        history.add(record_of(number, rows=1, reasons=reasons))
    kept, totals = history.rejecting_units(), history.totals.reasons
    least = min((totals[reason] for reason in kept), default=0)
    assert len(kept) == min(len(totals), REASONS)
    assert all(rows <= least for reason, rows in totals.items() if reason not in kept)
    assert all(reason in units[int(unit[-6:])] for reason, unit in kept.items())


def test_a_run_is_empty_until_a_unit_comes_to_an_end():
    for record in (record_of(0, rows=0), failed(0, STARTED)):
        history = history_at(Clock())
        assert history.empty
        history.add(record)
        assert not history.empty


def test_a_unit_that_was_there_before_its_worker_s_death_has_no_lengths():
    history = history_at(Clock())
    history.add(replace(record_of(0, rows=10), lengths=()))
    assert (history.lengths().counts, history.totals.rows) == ((), 10)
