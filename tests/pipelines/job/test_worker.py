"""A worker by itself, without Ray: it answers each task with a record, whatever happens."""

import gzip
import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.corpus.plan import Unit
from pipelines.encoder.spec import resolve_spec
from pipelines.job.ledger import LATE_SECONDS, MOST_DEATHS, Copy, UnitLedger
from pipelines.job.prepare import prepare
from pipelines.job.record import Outcome, records_of
from pipelines.job.tasks import Task, task_table
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
    """The records of units."""
    every = [record for task in tasks for table in worker(task_table(task)) for record in records_of(table)]
    return [record for record in every if record.outcome is not Outcome.ENDED]


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
    ledger.begin(unit.name, "a worker that dies")
    worker = worker_of(prepared, ledger, again=frozenset([unit]))
    (made,) = records(worker, task)
    assert (made.outcome, made.stats.texts) == (Outcome.DONE, 20)
    assert (after := shard.stat().st_mtime_ns) != before
    (left,) = records(worker, task)
    assert (left.outcome, left.stats.texts, shard.stat().st_mtime_ns) == (Outcome.DONE, 0, after)


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


def test_a_defect_while_loading_ends_the_job_in_one_line(prepared):
    (record,) = records(worker_of(prepared, encoder="no spec"), Task(0, (0,)))
    assert (record.outcome, record.message.startswith("AttributeError: ")) == (Outcome.FATAL, True)


def test_rejects_are_counted_by_reason(prepared, tmp_path):
    write_parquet(tmp_path / "bad.parquet", {"a": "the zip", "b": None, "c": None})
    other = prepare(job_of(tmp_path / "bad.parquet", tmp_path / "out 2", Path(prepared.job.encoder.model)))
    (record,) = records(worker_of(other), Task(0, (0,)))
    assert record.reasons == {"text is null": 2}


def test_a_model_that_is_another_on_this_node_ends_the_job(prepared):
    (record,) = records(worker_of(prepared, fingerprint="0" * 64), Task(0, (0,)))
    assert (record.outcome, "differs from the driver's" in record.message) == (Outcome.FATAL, True)


def test_a_model_that_is_not_there_is_the_askers_mistake(prepared, tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "moved")
    spec = replace(prepared.job.encoder, model=str(tmp_path / "moved"))
    fingerprint = resolve_spec(spec).fingerprint
    shutil.rmtree(tmp_path / "moved")
    (record,) = records(worker_of(prepared, encoder=spec, fingerprint=fingerprint), Task(0, (0,)))
    assert (record.outcome, "no such folder" in record.message) == (Outcome.REFUSED, True)


def test_a_unit_that_killed_too_many_workers_is_not_begun(prepared):
    ledger = deadly("part-000000-000000")
    first, second = records(worker_of(prepared, ledger), Task(0, (0, 1)))
    assert (first.outcome, second.outcome) == (Outcome.SET_ASIDE, Outcome.DONE)


def test_a_stream_that_killed_too_many_workers_is_not_read(prepared, tmp_path):
    uri = str(tmp_path / "corpus" / "b.jsonl.gz")
    ledger = deadly(f"{uri} (stripe 1 of 2), slice 0")
    (record,) = records(worker_of(prepared, ledger), Task(1, stripe=0, stripes=2))
    assert (record.outcome, record.unit) == (Outcome.SET_ASIDE, f"{uri} (stripe 1 of 2)")


@pytest.mark.parametrize(("task", "units"), [(Task(0, (0, 1)), [0, 20]), (Task(1), [0, 20, 0])], ids=["run", "stripe"])
def test_a_task_that_is_repeated_after_a_death_encodes_only_what_was_not_committed(prepared, tmp_path, task, units):
    worker = worker_of(prepared)
    first = records(worker, task)
    (tmp_path / "out" / f"part-{task.file:06d}-000001.parquet").unlink()
    before = shards_of(tmp_path / "out")
    again = records(worker, task)
    assert [record.shard for record in again] == [record.shard for record in first]
    assert [record.stats.texts for record in again] == units
    assert {name: shard for name, shard in shards_of(tmp_path / "out").items() if name in before} == before


def deadly(name: str) -> UnitLedger:
    """A ledger by which too many workers died of something."""
    ledger = UnitLedger()
    for _ in range(MOST_DEATHS):
        ledger.begin(name, "a dead worker", alone=True)
    return ledger


def test_a_worker_without_work_does_what_is_late_elsewhere_or_waits_there(prepared, tmp_path):
    clock = Clock()
    ledger = UnitLedger([Unit(0, 0), Unit(0, 1)], clock=clock)
    ledger.begin("part-000000-000000", "a stuck worker")
    clock.now = 2 * LATE_SECONDS
    worker = worker_of(prepared, PatientLedger(ledger))
    assert [record.unit for record in records(worker, Task(None))] == ["part-000000-000001", "part-000000-000000"]
    assert len(shards_of(tmp_path / "out")) == 2
    assert not ledger.unfinished()


def test_what_was_done_elsewhere_meanwhile_is_not_encoded_again(prepared):
    ledger = UnitLedger([Unit(0, 0)])
    worker = worker_of(prepared, ledger)
    (first,) = records(worker, Task(0, (0,)))
    (again,) = records(worker, Task(0, (0,)))
    assert (again.shard, again.stats.texts) == (first.shard, 0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class PatientLedger(UnitLedger):
    """A ledger that takes every asker for one that has waited long."""

    def __init__(self, ledger: UnitLedger) -> None:
        self.__dict__ |= vars(ledger)

    def late(self, worker: str, idle: float) -> Copy | None:
        return super().late(worker, math.inf)


def test_a_worker_that_comes_too_late_leaves_the_other_ones_shard(prepared, tmp_path):
    ledger = UnitLedger([Unit(0, 0)])
    (first,) = records(worker_of(prepared, ledger), Task(0, (0,)))
    before = shards_of(tmp_path / "out")
    ledger = UnitLedger([Unit(0, 0)])
    ledger.late("the other one", math.inf)
    ledger.claim("part-000000-000000", "the other one")
    (late,) = records(worker_of(prepared, ledger), Task(0, (0,)))
    assert (late.shard, shards_of(tmp_path / "out")) == (first.shard, before)


def test_a_full_disk_ends_the_job_instead_of_encoding_for_nothing(prepared):
    worker = worker_of(prepared, storage=FullDisk())
    (record,) = records(worker, Task(0, (0,)))
    assert (record.outcome, "no space left" in record.message) == (Outcome.FATAL, True)


def test_a_plan_that_another_run_changed_ends_the_job(prepared):
    (record,) = records(worker_of(prepared, plan="0" * 64), Task(0, (0,)))
    assert (record.outcome, "another run has changed it" in record.message) == (Outcome.FATAL, True)


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
