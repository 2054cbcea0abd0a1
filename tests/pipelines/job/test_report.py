"""The report is gathered and written beside the output; its own troubles are told and never fail a job."""

import threading
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.rows import reject_table
from pipelines.errors import EncorpusError
from pipelines.job.report import NORMS, examples_of, norms_of, norms_of_entries, write_last_words, write_report
from pipelines.output.layout import Output
from pipelines.output.manifest import entry_of
from pipelines.output.rejects import rejects_bytes
from pipelines.storage import Storage
from tests.pipelines.job.faults import FullDisk
from tests.pipelines.report.runs import Clock, failed, history_at, manifest_of, prepared_in, record_of, tiny_run


@pytest.fixture
def history():
    """Of a run of one unit."""
    clock = Clock()
    history = history_at(clock, planned=2)
    clock.now += 10
    history.add(record_of(0, rows=10, stop=clock.now))
    return history


def page_in(folder) -> str:
    return (folder / "_encorpus" / "report.html").read_text(encoding="utf-8")


def test_a_run_that_came_to_its_end_is_complete(history, tmp_path):
    assert write_report(prepared_in(tmp_path), history, "encorpus embed …", manifest_of(history)) is None
    assert "complete</p>" in page_in(tmp_path)


def test_a_run_that_left_no_manifest_though_nothing_failed_came_to_its_limit(history, tmp_path):
    assert write_report(prepared_in(tmp_path), history, None, None) is None
    assert "stopped at the limit</p>" in page_in(tmp_path)


def test_a_run_with_units_that_failed_says_so(history, tmp_path):
    history.add(failed(1, history.started))
    assert write_report(prepared_in(tmp_path), history, None, None) is None
    assert "1 unit failed</p>" in page_in(tmp_path)


def test_a_report_that_cannot_be_written_is_a_line(history, tmp_path):
    prepared = prepared_in(tmp_path, FullDisk())
    told = write_report(prepared, history, None, None)
    assert told == f"{tmp_path}/_encorpus/report.html: cannot write: no space left on device; make room and run again"


def test_a_defect_of_the_report_s_own_is_a_line_too(history, tmp_path):
    broken = SimpleNamespace(output=prepared_in(tmp_path).output)
    told = write_report(cast(Any, broken), history, None, None)
    assert told is not None
    assert "attribute 'resolved'" in told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EncorpusError("the disk <is> full"), "stopped by an error</p>"),
        (EncorpusError("the disk <is> full"), "the disk &lt;is&gt; full"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (KeyboardInterrupt(), "interrupted</p>"),
    ],
)
def test_a_run_that_was_stopped_says_by_what(history, tmp_path, error, told):
    write_last_words(prepared_in(tmp_path), history, None, error)
    assert told in page_in(tmp_path)


def test_last_words_that_cannot_be_written_are_not_missed(history, tmp_path):
    write_last_words(prepared_in(tmp_path, FullDisk()), history, None, KeyboardInterrupt())
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class StuckStore(Storage):
    """Does not come back from writing until it is let go."""

    let_go: Any = None

    def write_atomic(self, uri: str, data: bytes | memoryview) -> None:
        self.let_go.wait()


def test_a_stopped_run_does_not_wait_for_a_store_that_hangs(history, tmp_path):
    let_go = threading.Event()
    prepared = prepared_in(tmp_path, StuckStore(let_go=let_go))
    write_last_words(prepared, history, None, KeyboardInterrupt(), seconds=0.1)
    let_go.set()


@dataclass(frozen=True)
class UnreadStore(Storage):
    """Keeps what it was asked to read."""

    read: list[str] = field(default_factory=list)

    def read_bytes(self, uri: str) -> bytes:
        self.read.append(uri)
        return super().read_bytes(uri)


def test_last_words_read_nothing_since_the_threads_that_do_outlive_them(tmp_path):
    history = history_at(Clock())
    history.add(record_of(0, rows=1, reasons={"null": 1}))
    storage = UnreadStore()
    write_last_words(prepared_in(tmp_path, storage), history, None, KeyboardInterrupt())
    assert storage.read == []
    assert "1 × <bdi>null" in page_in(tmp_path)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 9), st.floats(0, 9)), max_size=3 * NORMS))
def test_norms_of_many_shards_are_taken_together_without_losing_an_outlier(numbers):
    model = record_of(0, rows=1).shard
    assert model is not None
    shards = [
        replace(model, rows=rows, norm_min=low, norm_mean=low + up / 2, norm_max=low + up) for rows, low, up in numbers
    ]
    norms, filled = (
        norms_of(norms_of_entries(map(entry_of, shards)), whole=True),
        [shard for shard in shards if shard.rows],
    )
    assert norms.shards == len(filled)
    assert len(norms.mean) == min(len(filled), NORMS)
    if filled:
        assert norms.least.min() == min(shard.norm_min for shard in filled)
        assert norms.most.max() == max(shard.norm_max for shard in filled)
        slack = 1e-9
        assert ((norms.least <= norms.mean + slack) & (norms.mean <= norms.most + slack)).all()


def test_norms_that_are_no_numbers_are_left_out():
    model = record_of(0, rows=1).shard
    assert model is not None
    norms = norms_of(norms_of_entries(map(entry_of, [model, replace(model, norm_max=np.inf)])), whole=False)
    assert (norms.shards, len(norms.mean)) == (1, 1)


def write_rejects(output: Output, unit: str, reasons: list[str]) -> None:
    rows = [
        {"id": f"{unit} {place}", "file": "f", "row": place, "reason": reason, "text": "cut"}
        for place, reason in enumerate(reasons)
    ]
    uri = output.storage.join(output.rejects_folder, f"{unit}.parquet")
    output.storage.write_atomic(uri, rejects_bytes(reject_table(rows)))


def test_examples_are_the_first_rejects_of_each_reason(tmp_path):
    output = Output(str(tmp_path), Storage())
    write_rejects(output, "a", ["null", "empty", "null", "null", "null"])
    write_rejects(output, "b", ["other", "torn"])
    found = examples_of(output, {"null": "a", "empty": "a", "torn": "b"})
    assert {reason: [row.row_id for row in rows] for reason, rows in found.items()} == {
        "null": ["a 0", "a 2", "a 3"],
        "empty": ["a 1"],
        "torn": ["b 1"],
    }


def test_a_rejects_file_that_is_gone_or_damaged_gives_no_examples(tmp_path):
    output = Output(str(tmp_path), Storage())
    output.storage.write_atomic(output.storage.join(output.rejects_folder, "b.parquet"), b"torn")
    assert examples_of(output, {"null": "a", "empty": "b"}) == {}


def test_workers_are_at_most_those_of_the_pool_though_one_died_and_was_replaced(tmp_path):
    clock = Clock()
    history = history_at(clock)
    history.pool = (2, 2)
    clock.now += 5
    for number, worker in enumerate(("a:1", "b:1", "b:2")):
        history.add(record_of(number, rows=1, stop=clock.now, worker=worker))
    assert write_report(prepared_in(tmp_path), history, None, None) is None
    assert "2 workers × wall time" in page_in(tmp_path)


def test_a_complete_output_has_the_units_of_its_manifest_though_nobody_knew_how_many_a_stream_has(tmp_path):
    clock = Clock()
    history = history_at(clock, planned=None)
    clock.now += 5
    history.add(record_of(0, rows=1, stop=clock.now))
    assert write_report(prepared_in(tmp_path), history, None, manifest_of(history)) is None
    assert "of 1; all by this run" in page_in(tmp_path)


def test_the_report_of_a_tiny_run_is_of_its_manifest(tmp_path):
    report = tiny_run(tmp_path)
    assert report.whole is not None
    assert (report.whole.rows, report.norms.whole, report.norms.shards) == (12, True, 1)
