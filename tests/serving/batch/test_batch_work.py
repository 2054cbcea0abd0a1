"""A replica gives a job's call back in time, so that it may stop."""

from collections.abc import Iterator

import pytest

from pipelines.corpus.plan import Unit
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.job.ledger import UnitLedger
from pipelines.job.prepare import Prepared, prepare
from pipelines.job.tasks import Task
from serving.batch import batch_work
from serving.batch.batch_call import Call
from serving.batch.batch_lane import Served
from serving.batch.batch_work import BatchWork
from serving.lanes.lane_thread import LaneThread
from tests.pipelines.job.jobs import job_of, order_of, shards_of, spec_of, texts_of, write_parquet


@pytest.fixture(scope="module")
def work(tiny_model) -> Iterator[BatchWork]:
    encoder = TextEncoder.load(spec_of(tiny_model), threads=1)
    lanes = LaneThread(encoder, batch_floor=0.1)
    yield BatchWork({"tiny": Served(encoder, lanes)})
    lanes.stop()


@pytest.fixture
def prepared(tiny_model, tmp_path) -> Prepared:
    """A planned job over a file of two units."""
    write_parquet(tmp_path / "corpus" / "a.parquet", texts_of("a", 40))
    return prepare(job_of(tmp_path / "corpus", tmp_path / "out", tiny_model))


def call_of(prepared: Prepared, task: Task) -> Call:
    ledger = UnitLedger([Unit(0, 0), Unit(0, 1)])
    return Call(prepared.job.output, "call", task, order_of(prepared), ledger)


def test_a_run_that_is_done_in_time_is_done_to_its_end(work, prepared, tmp_path):
    assert work.do(call_of(prepared, Task(0, (0, 1))))
    assert list(shards_of(tmp_path / "out")) == ["part-000000-000000.parquet", "part-000000-000001.parquet"]


def test_a_run_that_takes_long_is_given_back_between_units(work, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(batch_work, "RUN_SECONDS", 0)
    assert not work.do(call_of(prepared, Task(0, (0, 1))))
    assert list(shards_of(tmp_path / "out")) == ["part-000000-000000.parquet"]


def test_a_call_without_a_file_is_given_back_though_there_are_units_that_may_be_late(work, prepared, monkeypatch):
    monkeypatch.setattr(batch_work, "IDLE_SECONDS", 0)
    assert not work.do(call_of(prepared, Task(None)))
