"""Two runs on one output: neither overwrites what it has not seen, and no manifest is of the work of both."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipelines.errors import EncorpusError, UsageError
from pipelines.job.finish import finish
from pipelines.job.prepare import settle
from pipelines.output.layout import Output
from pipelines.output.manifest import load_manifest
from pipelines.output.planned import load_planned
from pipelines.storage import Storage
from tests.pipelines.output.corruption import edit_json, rewrite
from tests.pipelines.output.fake_job import FakeJob, output_in, texts_of, write_json_lines, write_parquet

STREAM = "part-000000-00000"


@dataclass(frozen=True)
class Beside(Storage):
    """Lets another run act after a write, or before a read, of a file: once."""

    written: dict[str, Callable[[], object]] = field(default_factory=dict)
    read: dict[str, Callable[[], object]] = field(default_factory=dict)

    def write_atomic(self, uri: str, data: bytes | memoryview, lasting: bool = True) -> None:
        """As Storage.write_atomic, and then the other run's act."""
        super().write_atomic(uri, data, lasting)
        self.written.pop(Path(uri).name, lambda: None)()

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        """The other run's act, and then as Storage.read_range."""
        self.read.pop(Path(uri).name, lambda: None)()
        return super().read_range(uri, start, stop)


@pytest.fixture
def job(tmp_path: Path) -> FakeJob:
    """A job of two units."""
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 24))
    return FakeJob((corpus,), Output(str(tmp_path / "out"), Beside()))


@pytest.fixture
def other(job: FakeJob) -> FakeJob:
    """A job with another encoder, into the same output."""
    return replace(job, fingerprint="another", output=Output(job.output.uri, Storage()))


def test_another_encoder_is_refused_before_there_is_a_shard(job: FakeJob, other: FakeJob):
    job.prepare()
    plan = job.output.plan_uri
    told = rf"made otherwise: the model or preprocessor is another one .*, as there are no shards yet, delete {plan} if"
    with pytest.raises(UsageError, match=told):
        other.prepare()
    Path(plan).unlink()
    other.run()
    assert load_manifest(other.output) is not None


def test_another_encoder_that_found_nothing_either_is_refused(job: FakeJob, other: FakeJob):
    found = other.found()
    job.prepare()
    with pytest.raises(EncorpusError, match=r"job\.json: another run has changed it; run the same command again"):
        settle(found)


def test_a_run_whose_plan_is_replaced_as_it_is_written_stops(job: FakeJob, other: FakeJob):
    storage = job.output.storage
    assert isinstance(storage, Beside)
    storage.written["plan.parquet"] = lambda: replace(other, shard_rows=7).plan_anew(*other.inputs)
    with pytest.raises(EncorpusError, match=r"plan\.parquet: another run has changed it; run the same command again"):
        job.prepare()


def test_a_plan_whose_run_has_begun_to_commit_is_not_replaced(job: FakeJob, tmp_path: Path):
    job.prepare()
    late = replace(job, inputs=(*job.inputs, write_parquet(tmp_path / "b.parquet", texts_of("b", 5))))
    found = late.found()
    plan = job.run(most=1)
    with pytest.raises(EncorpusError, match=r"out: another run has changed it; run the same command again"):
        settle(found)
    assert load_planned(job.output).plan == plan


def test_a_plan_is_not_replaced_that_cuts_a_file_anew_whose_first_shard_came_meanwhile(job: FakeJob, tmp_path: Path):
    later = tmp_path / "b.parquet"
    both = replace(job, inputs=(*job.inputs, write_parquet(later, texts_of("b", 5))))
    prepared = both.prepare()
    first, second, third = [both.rows_of(prepared.plan, unit) for unit in prepared.remaining.units]
    for rows in (first, second):
        both.commit(prepared.plan, rows)
    write_parquet(later, texts_of("changed", 50))
    found = both.found()
    both.commit(prepared.plan, third)
    with pytest.raises(EncorpusError, match=r"out: another run has changed it; run the same command again"):
        settle(found)
    assert load_planned(both.output).plan == prepared.plan


def test_the_rejects_of_a_run_of_the_same_command_that_is_at_work_stay(job: FakeJob, tmp_path: Path):
    bad = replace(job, inputs=(write_parquet(tmp_path / "bad.parquet", ["good", None]),))
    found = bad.found()
    bad.run(most=1)
    settle(found)
    assert len(bad.output.rejected()) == 1


def test_a_run_does_not_finish_what_another_encoder_made_its_own(job: FakeJob):
    prepared = job.prepare()
    edit_json(job.output.job_uri, lambda plain: plain.update(fingerprint="another"))
    with pytest.raises(EncorpusError, match=r"job\.json: another run has changed it"):
        job.work(prepared)
    assert load_manifest(job.output) is None


def test_a_shard_that_another_encoder_put_in_the_place_of_ours_is_not_counted(job: FakeJob, other: FakeJob):
    prepared = job.prepare()
    for unit in prepared.remaining.units:
        job.commit(prepared.plan, job.rows_of(prepared.plan, unit))
    other.commit(prepared.plan, other.rows_of(prepared.plan, prepared.remaining.units[1]))
    with pytest.raises(EncorpusError, match=r"part-000000-000001\.parquet: of another model or spec, so another run"):
        finish(prepared)
    assert load_manifest(job.output) is None


@pytest.mark.parametrize("name", ["plan.parquet", "job.json"])
def test_what_another_run_changes_while_footers_are_read_is_not_finished(job: FakeJob, other: FakeJob, name: str):
    storage = job.output.storage
    assert isinstance(storage, Beside)

    def change() -> None:
        if name == "plan.parquet":
            replace(other, shard_rows=7).plan_anew(*other.inputs)
        else:
            edit_json(job.output.job_uri, lambda plain: plain.update(fingerprint="another"))

    storage.read["part-000000-000001.parquet"] = change
    with pytest.raises(EncorpusError, match=f"{name}: another run has changed it"):
        job.run()
    assert load_manifest(job.output) is None


@pytest.mark.parametrize(
    ("slice_", "change"),
    [(0, {"start": 1}), (1, {"start": 1000}), (1, {"stop": 1000}), (1, {"last": True})],
    ids=["begins late", "hole", "ends late", "ends twice"],
)
def test_a_streamed_file_whose_slices_do_not_follow_each_other_is_not_finished(tmp_path: Path, slice_: int, change):
    job = FakeJob((write_json_lines(tmp_path / "a.jsonl.gz", texts_of("a", 25)),), output_in(tmp_path))
    job.run()
    rewrite(job.output, f"{STREAM}{slice_}", info=lambda info: replace(info, **change))
    Path(job.output.manifest_uri).unlink()
    told = r"part-000000-\*\.parquet: these slices of .*a\.jsonl\.gz do not follow each other at part-000000-00000\d"
    with pytest.raises(EncorpusError, match=told):
        job.run()
