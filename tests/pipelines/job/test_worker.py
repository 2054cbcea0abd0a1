"""A worker by itself, without Ray: it answers each task with a record, whatever happens."""

import gzip
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.corpus.plan import Unit
from pipelines.job import worker as worker_module
from pipelines.job.ledger import LATE_SECONDS, MOST_DEATHS, Claim, Copy, Holder, UnitLedger
from pipelines.job.prepare import prepare
from pipelines.job.record import Outcome, Record
from pipelines.job.tasks import Task
from pipelines.job.worker import EmbedWorker
from tests.pipelines.job.faults import FullDisk
from tests.pipelines.job.jobs import job_of, json_lines, order_of, shards_of, texts_of, write_parquet


@pytest.fixture
def prepared(tiny_model, tmp_path):
    """A planned job over a cut file of two units and a streamed one of three."""
    write_parquet(tmp_path / "corpus" / "a.parquet", texts_of("a", 40))
    (tmp_path / "corpus" / "b.jsonl.gz").write_bytes(gzip.compress(json_lines(texts_of("b", 50))))
    return prepare(job_of(tmp_path / "corpus", tmp_path / "out", tiny_model))


def records(worker: EmbedWorker, *tasks: Task):
    """What the worker tells the ledger of units."""
    for task in tasks:
        worker.do(task)
    return [record for record in ledger_of(worker).take() if record.outcome is not Outcome.ENDED]


def ledger_of(worker: EmbedWorker) -> UnitLedger:
    ledger = worker._ledger
    assert isinstance(ledger, UnitLedger)
    return ledger


def worker_of(prepared, ledger=None, **changes) -> EmbedWorker:
    return EmbedWorker(order_of(prepared, **changes), ledger or UnitLedger())


def test_a_unit_is_committed_before_its_record_is_given(prepared, tmp_path):
    (record,) = records(worker_of(prepared), Task(0, (1,)))
    assert (record.unit, record.outcome) == ("part-000000-000001", Outcome.DONE)
    assert record.shard is not None
    assert record.shard.rows == record.stats.texts == 20
    assert list(shards_of(tmp_path / "out")) == ["part-000000-000001.parquet"]


def test_each_slice_of_a_stripe_has_a_record_of_its_own(prepared):
    worker = worker_of(prepared)
    assert [record.unit for record in records(worker, Task(1, stripe=0, stripes=2))] == [
        "part-000001-000000",
        "part-000001-000002",
    ]
    assert [record.unit for record in records(worker, Task(1, stripe=1, stripes=2))] == ["part-000001-000001"]


def test_finished_slices_of_a_stream_are_not_encoded_again(prepared):
    assert [record.unit for record in records(worker_of(prepared), Task(1, done=(0, 2)))] == ["part-000001-000001"]


def test_a_unit_to_be_made_again_is_so_once_though_its_shard_is_there_and_a_worker_died(prepared, tmp_path):
    task, unit = Task(0, (0,)), Unit(0, 0)
    records(worker_of(prepared), task)
    shard = tmp_path / "out" / f"{unit.name}.parquet"
    before = shard.stat().st_mtime_ns
    ledger = UnitLedger()
    ledger.begin(unit.name, Holder("a worker that dies", "1"))
    ledger.arrive("a worker that dies")
    worker = worker_of(prepared, ledger, replaced=frozenset([unit]))
    (made,) = records(worker, task)
    assert (made.outcome, made.stats.texts) == (Outcome.DONE, 20)
    assert (after := shard.stat().st_mtime_ns) != before
    assert records(worker, task) == []
    assert shard.stat().st_mtime_ns == after


def test_a_unit_that_cannot_be_written_is_a_record_and_the_next_one_is_done(prepared, tmp_path):
    (tmp_path / "out" / "part-000000-000000.parquet").mkdir()
    first, second = records(worker_of(prepared), Task(0, (0, 1)))
    assert (first.outcome, second.outcome) == (Outcome.FAILED, Outcome.DONE)
    assert "part-000000-000000.parquet: cannot write" in first.message


def test_a_file_that_vanishes_fails_alone(prepared, tmp_path):
    (tmp_path / "corpus" / "a.parquet").unlink()
    gone, *rest = records(worker_of(prepared), Task(0, (0,)), Task(1))
    assert (gone.outcome, "a.parquet: is gone; restore it" in gone.message) == (Outcome.FAILED, True)
    assert {record.outcome for record in rest} == {Outcome.DONE}


def test_a_file_that_changes_while_the_job_runs_ends_it(prepared, tmp_path):
    write_parquet(tmp_path / "corpus" / "a.parquet", texts_of("other", 40))
    (record,) = records(worker_of(prepared), Task(0, (0,)))
    assert (record.outcome, "has changed since the plan was made" in record.message) == (Outcome.FATAL, True)


def test_rejects_are_counted_by_reason(prepared, tmp_path):
    write_parquet(tmp_path / "bad.parquet", {"a": "the zip", "b": None, "c": None})
    other = prepare(job_of(tmp_path / "bad.parquet", tmp_path / "out 2", Path(prepared.job.encoder.model)))
    (record,) = records(worker_of(other), Task(0, (0,)))
    assert record.reasons == {"text is null": 2}


def test_a_unit_that_killed_too_many_workers_is_not_begun(prepared):
    ledger = deadly("part-000000-000000")
    first, second = records(worker_of(prepared, ledger), Task(0, (0, 1)))
    assert (first.outcome, second.outcome) == (Outcome.SET_ASIDE, Outcome.DONE)


def test_a_stream_that_killed_too_many_workers_is_not_read(prepared, tmp_path):
    uri = str(tmp_path / "corpus" / "b.jsonl.gz")
    ledger = deadly(f"{uri} (stripe 1 of 2), slice 0")
    (record,) = records(worker_of(prepared, ledger), Task(1, stripe=0, stripes=2))
    assert (record.outcome, record.unit) == (Outcome.SET_ASIDE, f"{uri}, read on")


@pytest.mark.parametrize(
    ("task", "repeated", "left"),
    [(Task(0, (0,)), Task(0, (0, 1)), [(0, 1)]), (Task(1, done=(1, 2)), Task(1), [(1, 1), (1, 2)])],
    ids=["run", "stripe"],
)
def test_a_task_that_is_repeated_after_a_death_does_only_what_had_no_end(prepared, tmp_path, task, repeated, left):
    ledger = UnitLedger()
    records(worker_of(prepared, ledger), task)
    ledger.begin(Unit(*left[0]).name, Holder("a worker that dies", "1"))
    ledger.arrive("a worker that dies")
    before = shards_of(tmp_path / "out")
    assert [record.unit for record in records(worker_of(prepared, ledger), repeated)] == [
        Unit(*unit).name for unit in left
    ]
    assert {name: shard for name, shard in shards_of(tmp_path / "out").items() if name in before} == before


def deadly(name: str) -> UnitLedger:
    """A ledger by which too many workers died of something."""
    ledger = UnitLedger()
    for _ in range(MOST_DEATHS):
        ledger.begin(name, Holder("a worker that dies", "1"), alone=True)
        ledger.arrive("a worker that dies")
    return ledger


def test_a_job_says_of_how_many_deaths_a_unit_is_to_blame(prepared):
    name = Unit(0, 0).name
    (record,) = records(worker_of(prepared, deadly(name), most_deaths=MOST_DEATHS + 1), Task(0, (0,)))
    assert (record.unit, record.outcome) == (name, Outcome.DONE)


def test_a_worker_without_work_does_what_is_late_elsewhere_or_waits_there(prepared, tmp_path):
    clock = Clock()
    ledger = UnitLedger([Unit(0, 0), Unit(0, 1)], clock=clock)
    ledger.begin("part-000000-000000", Holder("a stuck worker", "1"))
    clock.now = 2 * LATE_SECONDS
    worker = worker_of(prepared, PatientLedger(ledger))
    assert [record.unit for record in records(worker, Task(None))] == ["part-000000-000001", "part-000000-000000"]
    assert len(shards_of(tmp_path / "out")) == 2
    assert not ledger.unfinished()


def test_a_run_whose_time_is_up_ends_after_the_unit_at_hand(prepared):
    worker = worker_of(prepared)
    assert not worker.do(Task(0, (0, 1)), over=lambda: True)
    assert [record.unit for record in ledger_of(worker).take()] == ["part-000000-000000"]


@pytest.mark.parametrize("task", [Task(0, (1,)), Task(1)], ids=["last unit", "stripe"])
def test_what_would_leave_nothing_or_be_read_again_is_done_to_its_end(prepared, task):
    worker = worker_of(prepared)
    assert worker.do(task, over=lambda: True)


@pytest.mark.parametrize(
    ("task", "left"),
    [(Task(0, (0, 1)), ["part-000000-000000"]), (Task(1), ["part-000001-000000"])],
    ids=["run", "stripe"],
)
def test_a_call_that_is_given_up_ends_before_the_next_unit_and_tells_of_no_end(prepared, task, left):
    ledger = GivenUpAfterAUnit()
    assert not worker_of(prepared, ledger).do(task, call="call")
    assert [record.unit for record in ledger.take()] == left


class GivenUpAfterAUnit(UnitLedger):
    """A ledger of a job that gives up its call when the first unit is done."""

    def end(self, name: str, holder: Holder, record: Record | None = None) -> None:
        super().end(name, holder, record)
        if record:
            self.given_up(holder.call)


def test_a_worker_without_work_waits_no_longer_than_its_time(prepared):
    ledger = UnitLedger([Unit(0, 0)])
    assert not worker_of(prepared, ledger).do(Task(None), over=lambda: True)
    assert ledger.unfinished()


def test_a_worker_that_was_without_work_before_does_what_waits_elsewhere_at_once(prepared):
    ledger = UnitLedger([Unit(0, 0)])
    assert worker_of(prepared, ledger).do(Task(None), idle=LATE_SECONDS + 1)
    assert [record.unit for record in ledger.take()] == ["part-000000-000000"]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class PatientLedger(UnitLedger):
    """A ledger that takes every asker for one that has waited long."""

    def __init__(self, ledger: UnitLedger) -> None:
        self.__dict__ |= vars(ledger)

    def late(self, holder: Holder, idle: float) -> Copy | None:
        return super().late(holder, math.inf)


def test_a_worker_that_comes_too_late_leaves_the_other_ones_shard(prepared, tmp_path):
    ledger = DoneBetween([Unit(0, 0)])
    records(worker_of(prepared), Task(0, (0,)))
    before = shards_of(tmp_path / "out")
    assert [record.unit for record in records(worker_of(prepared, ledger), Task(0, (0,)))] == ["part-000000-000000"]
    assert shards_of(tmp_path / "out") == before


class DoneBetween(UnitLedger):
    """A ledger whose unit is done elsewhere while the worker that asks for the claim encodes it."""

    def claim(self, name: str, holder: Holder) -> Claim:
        other = Holder("the other one", "1")
        super().claim(name, other)
        self.end(name, other, Record(name, Outcome.DONE))
        return super().claim(name, holder)


def test_a_worker_whose_copy_fails_leaves_the_word_to_the_others_unless_the_job_cannot_go_on(prepared, tmp_path):
    ledger = UnitLedger([Unit(0, 0)])
    worker = worker_of(prepared, ledger)
    (tmp_path / "out" / "part-000000-000000.parquet").mkdir()
    worker._run(worker._plan.files[0], (0,), lambda: False, Copy(Unit(0, 0), last=False))
    assert ledger.take() == []
    worker._run(worker._plan.files[0], (0,), lambda: False, Copy(Unit(0, 0), last=True))
    assert [record.outcome for record in ledger.take()] == [Outcome.FAILED]
    worker = worker_of(prepared, ledger, storage=FullDisk())
    worker._run(worker._plan.files[0], (1,), lambda: False, Copy(Unit(0, 1), last=False))
    assert [record.outcome for record in ledger.take()] == [Outcome.FATAL]


def test_a_failure_to_read_on_is_the_files_and_told_by_whom(prepared, tmp_path):
    path = tmp_path / "corpus" / "b.jsonl.gz"
    path.unlink()
    failures = records(worker_of(prepared), Task(1, stripe=0, stripes=2), Task(1, stripe=1, stripes=2))
    assert {record.unit for record in failures} == {f"{path}, read on"}
    assert all(record.worker and record.started for record in failures)


def test_the_time_of_a_streamed_unit_is_from_its_reading_on(prepared, monkeypatch):
    monkeypatch.setattr(worker_module, "stream_slices", slowly(worker_module.stream_slices))
    first, *_ = records(worker_of(prepared), Task(1, done=(1, 2)))
    assert first.seconds >= READING_SECONDS


READING_SECONDS = 0.3


def slowly(stream_slices):
    def read(*given):
        for rows in stream_slices(*given):
            threading.Event().wait(READING_SECONDS)
            yield rows

    return read


def test_a_full_disk_ends_the_job_instead_of_encoding_for_nothing(prepared):
    worker = worker_of(prepared, storage=FullDisk())
    (record,) = records(worker, Task(0, (0,)))
    assert (record.outcome, "no space left" in record.message) == (Outcome.FATAL, True)


@pytest.mark.parametrize("task", [Task(0, (0, 1)), Task(1)], ids=["run", "stripe"])
def test_nothing_is_written_any_more_when_another_run_has_changed_the_plan(prepared, tmp_path, task):
    worker = worker_of(prepared)
    plan = tmp_path / "out" / "_encorpus" / "plan.parquet"
    plan.write_bytes(plan.read_bytes() + b"of another run")
    assert {record.outcome for record in records(worker, task)} == {Outcome.FATAL}
    assert shards_of(tmp_path / "out") == {}


def test_a_plan_that_cannot_be_looked_at_for_a_while_fails_units_and_not_the_job(prepared, tmp_path):
    worker = worker_of(prepared)
    plan = tmp_path / "out" / "_encorpus" / "plan.parquet"
    plan.rename(tmp_path / "away")
    assert {record.outcome for record in records(worker, Task(0, (0, 1)))} == {Outcome.FAILED}


def test_a_stream_is_not_read_beside_a_suspect_whose_deaths_it_would_be_blamed_for(prepared):
    worker = worker_of(prepared)
    with ThreadPoolExecutor(1) as pool:
        with worker._turns.alone():
            reading = pool.submit(records, worker, Task(1))
            with pytest.raises(TimeoutError):
                reading.result(timeout=0.5)
        assert {record.outcome for record in reading.result(timeout=60)} == {Outcome.DONE}


def test_rejects_of_an_earlier_attempt_do_not_outlive_it(prepared, tmp_path):
    left = tmp_path / "out" / "_encorpus" / "rejects" / "part-000000-000000.parquet"
    left.parent.mkdir()
    left.write_bytes(b"rejects")
    records(worker_of(prepared), Task(0, (0,)))
    assert not left.exists()
