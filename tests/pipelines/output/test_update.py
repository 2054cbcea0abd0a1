"""An update of an output: what its readers see before, during and after it, and what a run that was cut off leaves."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.errors import InputChangedError
from pipelines.output.check_manifest import MANIFEST
from pipelines.output.layout import Output
from pipelines.output.manifest import load_manifest
from pipelines.output.search import search
from pipelines.output.status import status
from pipelines.output.verify import verify
from pipelines.storage import FileEntry, Storage
from tests.pipelines.output.crashing_storage import Crash, CrashingStorage
from tests.pipelines.output.fake_job import (
    FINGERPRINT,
    FakeJob,
    fake_vector,
    mixed_corpus,
    texts_of,
    write_json_lines,
    write_parquet,
)

AGAIN = "run the same embed command again"


@dataclass(frozen=True)
class AskedStorage(Storage):
    """Remembers which single files it was asked for."""

    asked: list[str] = field(default_factory=list)

    def entry(self, uri: str) -> FileEntry | None:
        """As Storage.entry."""
        self.asked.append(uri)
        return super().entry(uri)

    def read_range(self, uri: str, start: int, stop: int) -> bytes:
        """As Storage.read_range."""
        self.asked.append(uri)
        return super().read_range(uri, start, stop)


@pytest.fixture
def job(tmp_path: Path) -> FakeJob:
    """A finished output of two files of two units each, on a store that can be made to fail."""
    for name in "ab":
        write_parquet(tmp_path / "corpus" / f"{name}.parquet", texts_of(name, 20))
    job = FakeJob((tmp_path / "corpus",), Output(str(tmp_path / "out"), CrashingStorage()))
    job.run()
    return job


def rewrite_a(job: FakeJob) -> None:
    """The first file has other content from now on."""
    write_parquet(job.inputs[0] / "a.parquet", texts_of("changed", 30))


def crash_after(job: FakeJob, changes: int, **options: bool) -> bool:
    """Runs until the store has changed so often; whether that was before the end."""
    storage = job.output.storage
    assert isinstance(storage, CrashingStorage)
    storage.left[0] = changes
    try:
        job.run(**options)
    except Crash:
        return True
    finally:
        storage.left[0] = None
    return False


def listed(job: FakeJob) -> list[str]:
    manifest = load_manifest(job.output)
    assert manifest is not None
    return [shard.unit for shard in manifest.shards]


def shards(job: FakeJob) -> set[str]:
    return {unit.name for unit in job.output.committed()}


def told(job: FakeJob) -> list[str]:
    return [str(violation) for violation in verify(job.output).violations]


def test_old_shards_go_and_no_name_is_used_twice(job):
    rewrite_a(job)
    job.run(update=True)
    new = {"part-000002-000000", "part-000002-000001"}
    assert new <= shards(job) == {"part-000001-000000", "part-000001-000001", "part-000002-000002"} | new
    assert sorted(shards(job)) == listed(job)
    assert verify(job.output, with_input=True).violations == ()


def test_readers_see_the_old_state_or_the_new_one_wherever_the_run_dies(job):
    before, changes = listed(job), 0
    rewrite_a(job)
    while crash_after(job, changes, update=True):
        assert set(listed(job)) <= shards(job)
        assert listed(job) == before or not {"part-000000-000000", "part-000000-000001"} & set(listed(job))
        changes += 1
        assert changes < 50
    assert sorted(shards(job)) == listed(job) != before


@pytest.mark.parametrize("changes", range(9))
def test_a_run_without_the_option_finishes_what_an_update_began(job, changes):
    rewrite_a(job)
    (job.inputs[0] / "b.parquet").unlink()
    crash_after(job, changes + 1, update=True)
    job.run()
    due = ["part-000001-000000", "part-000001-000001", "part-000002-000000", "part-000002-000001", "part-000002-000002"]
    assert sorted(shards(job)) == listed(job) == due
    assert told(job) == []


def test_an_update_under_way_is_an_unfinished_output(job):
    rewrite_a(job)
    assert crash_after(job, 4, update=True)
    [line] = told(job)
    assert line.startswith("the output: ")
    assert "units without a shard" in line
    found = status(job.output)
    assert (found.finished, found.files, found.listed) == (False, 2, 4)


def test_a_search_finds_the_old_rows_until_the_update_is_done(job):
    rewrite_a(job)
    assert crash_after(job, 4, update=True)
    [hit] = search(job.output, fake_vector("changed 4"), FINGERPRINT, top=1)
    assert hit.score < 0.99
    job.run(update=True)
    [hit] = search(job.output, fake_vector("changed 4"), FINGERPRINT, top=1)
    assert hit.score == pytest.approx(1)


def test_old_shards_that_a_dead_run_left_are_violations_until_a_rerun(job, tmp_path):
    old = Path(job.output.shard_uri(min(job.output.committed())))
    content = old.read_bytes()
    rewrite_a(job)
    job.run(update=True)
    old.write_bytes(content)
    a = tmp_path / "corpus" / "a.parquet"
    assert told(job) == [f"{old.name}: of {a}, which was replaced or pruned; {AGAIN} to delete it"]
    job.run()
    assert told(job) == []


def test_rejects_of_retired_files_go_too(tmp_path):
    corpus = write_parquet(tmp_path / "a.parquet", ["good", None])
    job = FakeJob((corpus,), Output(str(tmp_path / "out"), CrashingStorage()))
    job.run()
    write_parquet(corpus, ["good", "mended"])
    job.run(update=True)
    assert job.output.rejected() == frozenset()
    assert status(job.output).reasons == {}


def test_rows_of_a_vanished_file_stay_and_the_output_is_sound(job):
    (job.inputs[0] / "a.parquet").unlink()
    job.run(update=True)
    assert len(shards(job)) == 4
    assert verify(job.output, with_input=True).violations == ()
    job.run()
    assert len(shards(job)) == 4


def test_pruning_removes_the_rows_of_a_vanished_file(job):
    (job.inputs[0] / "a.parquet").unlink()
    job.run(update=True, prune=True)
    assert sorted(shards(job)) == listed(job) == ["part-000001-000000", "part-000001-000001"]
    assert verify(job.output, with_input=True).violations == ()


def test_a_vanished_file_that_is_not_wholly_embedded_is_refused_and_nothing_is_written(job):
    Path(job.output.shard_uri(min(job.output.committed()))).unlink()
    (job.inputs[0] / "a.parquet").unlink()
    plan = Path(job.output.plan_uri).read_bytes()
    with pytest.raises(InputChangedError, match=r"a\.parquet is gone since .*, and not all of it is embedded; restore"):
        job.run(update=True)
    assert Path(job.output.plan_uri).read_bytes() == plan
    job.run(update=True, prune=True)
    assert told(job) == []


def test_a_shard_that_is_made_again_makes_the_manifest_one_of_before(job):
    lost = Path(job.output.shard_uri(min(job.output.committed())))
    lost.unlink()
    # The shard is there again, but the manifest was not written.
    assert crash_after(job, 3)
    assert lost.exists()
    assert not status(job.output).finished
    assert told(job) == [f"{MANIFEST}: of an earlier plan, though every unit has its shard; {AGAIN} to write it"]
    job.run()
    assert (told(job), status(job.output).finished) == ([], True)


def test_a_rerun_of_a_finished_output_reads_no_footer_and_asks_for_no_file(tmp_path):
    mixed_corpus(tmp_path / "corpus")
    storage = AskedStorage()
    job = FakeJob((tmp_path / "corpus",), Output(str(tmp_path / "out"), storage))
    job.run()
    storage.asked.clear()
    job.run()
    assert [uri for uri in storage.asked if "/part-" in uri or "/corpus/" in uri] == []


def test_a_file_that_changes_twice_is_embedded_as_it_is_at_last(job):
    for rows in (5, 15):
        write_json_lines(job.inputs[0] / "c.jsonl.gz", texts_of("c", rows))
        os.utime(job.inputs[0] / "c.jsonl.gz", ns=(rows, rows))
        crash_after(job, 4, update=True)
    job.run(update=True)
    assert verify(job.output, with_input=True).violations == ()
