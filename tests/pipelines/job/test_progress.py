"""Rates and the time left, from records and a clock."""

import itertools
from dataclasses import replace

import pytest

from pipelines.encoder.stats import EncodeStats
from pipelines.job.progress import Totals
from pipelines.job.record import Outcome, Record
from pipelines.output.shard_info import ShardInfo


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


NUMBERS = itertools.count()


def done(rows: int, tokens: int, rejects: int = 0, unit: str | None = None) -> Record:
    """The record of a unit, each time another one unless it is named."""
    unit = unit or f"part-000000-{next(NUMBERS):06d}"
    shard = ShardInfo(unit, "f", "1", 0, rows, False, rows, rows, rejects, tokens, 0, "print", "0", 8)
    stats = EncodeStats(texts=rows, distinct=rows, tokens=tokens, padded_tokens=2 * tokens)
    return Record(unit, Outcome.DONE, shard=shard, stats=stats, reasons={"null": rejects})


def failed(unit: str = "part-000001-000000", retries: int = 0) -> Record:
    return Record(unit, Outcome.FAILED, "no space left", retries=retries)


def test_nothing_is_known_before_the_first_record(clock):
    snapshot = Totals(committed=3, planned=10, clock=clock).snapshot()
    assert (snapshot.units_done, snapshot.rows_per_second, snapshot.seconds_left) == (3, 0, None)


def test_rates_count_from_the_first_record_on_so_that_loading_does_not(clock):
    totals = Totals(committed=0, planned=10, clock=clock)
    clock.now += 30
    totals.add(done(rows=1000, tokens=9000))
    for _ in range(2):
        clock.now += 5
        totals.add(done(rows=100, tokens=700))
    snapshot = totals.snapshot()
    assert (snapshot.rows_per_second, snapshot.tokens_per_second) == (20, 140)
    assert snapshot.rows == 1200


def test_records_that_come_together_with_the_first_one_tell_of_no_rate(clock):
    totals = Totals(committed=0, planned=10, clock=clock)
    for _ in range(2):
        totals.add(done(rows=1000, tokens=9000))
        clock.now += 0.0004
    assert (totals.snapshot().rows_per_second, totals.snapshot().seconds_left) == (0, None)
    clock.now += 10
    totals.add(done(rows=100, tokens=700))
    assert totals.snapshot().rows_per_second == pytest.approx(10, rel=1e-3)


def test_units_that_come_steadily_give_their_rate_from_the_first_seconds_on(clock):
    totals = Totals(committed=0, planned=100, clock=clock)
    for _ in range(16):
        totals.add(done(rows=100, tokens=700))
        clock.now += 0.25
    totals.add(done(rows=100, tokens=700))
    assert totals.snapshot().rows_per_second == pytest.approx(400)


def test_the_time_left_is_that_of_the_units_neither_committed_nor_done_nor_failed(clock):
    totals = Totals(committed=4, planned=10, clock=clock)
    totals.add(done(rows=10, tokens=10))
    clock.now += 8
    totals.add(done(rows=10, tokens=10))
    totals.add(failed())
    assert totals.snapshot().seconds_left == pytest.approx(3 * 8)


def test_the_time_left_is_unknown_while_the_units_are(clock):
    totals = Totals(committed=0, planned=None, clock=clock)
    for _ in range(2):
        totals.add(done(rows=10, tokens=10))
        clock.now += 1
    assert totals.snapshot().seconds_left is None


def test_rejects_add_up_by_reason_and_failures_are_kept(clock):
    totals = Totals(committed=0, planned=3, clock=clock)
    totals.add(done(rows=10, tokens=10, rejects=2))
    totals.add(done(rows=10, tokens=10, rejects=1))
    totals.add(failed())
    assert (totals.rejects, totals.reasons["null"]) == (3, 3)
    assert [record.message for record in totals.failures.values()] == ["no space left"]
    assert (totals.stats.texts, totals.stats.padding) == (20, 0.5)


def test_a_file_that_no_worker_could_read_on_is_one_failure_and_no_unit(clock):
    totals = Totals(committed=0, planned=3, clock=clock)
    for record in (failed(), *[failed("s3://corpora/a.csv.gz, read on")] * 8):
        totals.add(record)
    snapshot = totals.snapshot()
    assert (snapshot.units_failed, snapshot.files_failed) == (1, 1)


def test_a_unit_that_two_workers_did_counts_once_and_is_done_if_one_of_them_did_it(clock):
    totals = Totals(committed=0, planned=2, clock=clock)
    for record in (failed("part-000000-000000"), *[done(rows=10, tokens=10, unit="part-000000-000000")] * 2):
        totals.add(record)
    totals.add(failed("part-000000-000000"))
    assert (totals.done, totals.rows, totals.failures) == (1, 10, {})


def test_retries_of_storage_add_up_over_units_that_are_done_and_units_that_fail(clock):
    totals = Totals(committed=0, planned=3, clock=clock)
    totals.add(replace(done(rows=10, tokens=10), retries=2))
    totals.add(failed(retries=6))
    assert totals.snapshot().retries == 8
