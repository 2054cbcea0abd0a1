"""A worker that cannot load: its node is unfit, or the job ends, and either is told with the node's name."""

import shutil
import socket
from dataclasses import dataclass, replace
from errno import ENOSPC
from types import SimpleNamespace

import pytest

from pipelines.encoder.text_encoder import TextEncoder
from pipelines.errors import ModelError, NodeUnfitError, RuntimeUnfitError, StorageError, UsageError
from pipelines.job import work_order
from pipelines.job import worker as worker_module
from pipelines.job.job import Job
from pipelines.job.ledger import UnitLedger
from pipelines.job.prepare import prepare
from pipelines.job.record import Outcome
from pipelines.job.tasks import Task
from pipelines.job.work_order import load_encoder
from pipelines.job.worker import EmbedWorker
from pipelines.local_files import FileEntry
from pipelines.storage import Storage
from tests.pipelines.job.jobs import order_of
from tests.scale.simulated import COLUMNS, sleeping, write_corpus, write_model


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """What failed is asked for again at once."""
    monkeypatch.setattr(work_order, "AGAIN_SECONDS", 0)


@pytest.fixture
def order(tmp_path):
    """What workers of a job without an encoder are told."""
    corpus = write_corpus(tmp_path / "in", units=1, unit_rows=2, file_units=1)
    job = Job((str(corpus),), str(tmp_path / "out"), write_model(tmp_path / "model"), COLUMNS, 2)
    return order_of(prepare(job), load=sleeping(0))


def told_by_an_unfit_node(order, error: type[Exception]) -> str:
    """What the ledger is told by a worker that does not begin, but raises the error."""
    ledger = UnitLedger()
    with pytest.raises(error):
        EmbedWorker(order, ledger)
    (record,) = ledger.take()
    assert record.outcome is Outcome.UNFIT
    return record.message


def end_of_the_job(order, outcome: Outcome = Outcome.FATAL) -> str:
    """What the ledger is told by a worker with whose first task the job ends."""
    ledger = UnitLedger()
    EmbedWorker(order, ledger).do(Task(0, (0,)))
    (record,) = ledger.take()
    assert record.outcome is outcome
    return record.message


@dataclass(frozen=True)
class OutOfReach(Storage):
    """A store that this node does not reach."""

    def entry(self, uri: str) -> FileEntry | None:
        raise StorageError(f"{uri}: cannot look at: no route to host")


def test_a_node_that_cannot_read_the_plan_is_unfit(order):
    told = told_by_an_unfit_node(replace(order, storage=OutOfReach()), StorageError)
    assert told.startswith(f"node {socket.gethostname()}: {order.output}")
    assert told.endswith("no route to host")


def test_tasks_that_wait_at_a_worker_restarted_on_an_unfit_node_are_told_of(order, monkeypatch):
    monkeypatch.setattr(worker_module, "_restarted", lambda: True)
    ledger = UnitLedger()
    worker = EmbedWorker(replace(order, storage=OutOfReach()), ledger)
    (unfit,) = ledger.take()
    worker.do(Task(None))
    assert ledger.take() == []
    worker.do(Task(0, (0,)))
    assert ledger.take() == [replace(unfit, outcome=Outcome.STUCK)]


class Resolving:
    """Raises the error the first time, and gives a model of another fingerprint after that."""

    def __init__(self, error: ModelError) -> None:
        self.times = 0
        self._error = error

    def __call__(self, *_given: object) -> object:
        self.times += 1
        if self.times == 1:
            raise self._error
        return SimpleNamespace(fingerprint="0" * 64)


def test_a_model_that_a_node_fails_to_fetch_once_is_asked_for_again(order, monkeypatch):
    monkeypatch.setattr(work_order, "resolve_spec", resolving := Resolving(ModelError("the server answered 503")))
    told = told_by_an_unfit_node(replace(order, load=load_encoder), NodeUnfitError)
    assert "differs from the driver's" in told  # which only a model that is there can do
    assert resolving.times == 2


def test_a_model_that_a_node_has_no_room_for_is_not_asked_for_again(order, monkeypatch):
    error = ModelError("no space left on device")
    error.__cause__ = OSError(ENOSPC, "no space left on device")
    monkeypatch.setattr(work_order, "resolve_spec", resolving := Resolving(error))
    assert "no space left" in told_by_an_unfit_node(replace(order, load=load_encoder), NodeUnfitError)
    assert resolving.times == 1


def test_a_node_that_cannot_have_the_model_is_unfit(order, tmp_path):
    shutil.rmtree(tmp_path / "model")
    assert "no such folder" in told_by_an_unfit_node(replace(order, load=load_encoder), NodeUnfitError)


def test_a_node_with_another_model_is_unfit(order):
    order = replace(order, load=load_encoder, fingerprint="0" * 64)
    assert "differs from the driver's; copy it again" in told_by_an_unfit_node(order, NodeUnfitError)


def raising(error):
    def fail(*given):
        raise error

    return fail


def test_a_node_without_the_runtime_is_unfit(order, monkeypatch):
    error = RuntimeUnfitError("--runtime openvino: No module named 'openvino'")
    monkeypatch.setattr(TextEncoder, "load_resolved", raising(error))
    assert "No module named" in told_by_an_unfit_node(replace(order, load=load_encoder), NodeUnfitError)


def test_a_request_that_cannot_be_right_on_any_node_ends_the_job(order, monkeypatch):
    monkeypatch.setattr(TextEncoder, "load_resolved", raising(UsageError("--layers 9: the model has 2")))
    assert "--layers 9" in end_of_the_job(replace(order, load=load_encoder), Outcome.REFUSED)


def test_a_plan_that_is_another_one_ends_the_job(order):
    told = end_of_the_job(replace(order, plan="0" * 64))
    assert told.startswith(f"node {socket.gethostname()}: ")
    assert "another run has changed it" in told


def test_a_defect_while_loading_ends_the_job_in_one_line(order):
    told = end_of_the_job(replace(order, load=load_encoder, encoder="no spec"))
    assert told.startswith(f"node {socket.gethostname()}: AttributeError: ")
