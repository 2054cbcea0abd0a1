"""A retry: what was rejected is embedded again from the input as it is now, and a crash leaves nothing in between."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import UsageError
from pipelines.job.retry import due_again
from pipelines.output.layout import Output
from pipelines.output.status import status
from pipelines.output.verify import verify
from tests.pipelines.output.crashing_storage import Crash, CrashingStorage
from tests.pipelines.output.fake_job import FakeJob, output_in, texts_of, write_json_lines, write_parquet


@dataclass(frozen=True)
class SickJob(FakeJob):
    """A job that makes NaN of the texts in `sick`."""

    sick: set[str] = field(default_factory=set)

    def vectors(self, texts):
        """As FakeJob.vectors, but for the sick ones."""
        vectors = np.asarray(super().vectors(texts))
        vectors[[text in self.sick for text in texts]] = np.nan
        return vectors


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A file with a bad row, one that cannot be read, a stream, and a good one."""
    folder = tmp_path / "corpus"
    write_parquet(folder / "a.parquet", [*texts_of("a", 24), None])
    (folder / "b.parquet").write_bytes(b"PAR1 but no footer")
    write_json_lines(folder / "c.jsonl.gz", texts_of("c", 25))
    write_parquet(folder / "d.parquet", texts_of("d", 24))
    return folder


@pytest.fixture
def job(corpus: Path, tmp_path: Path) -> SickJob:
    """A finished job with a NaN in the stream and one in the good file."""
    job = SickJob((corpus,), Output(str(tmp_path / "out"), CrashingStorage()), sick={"c 12", "d 2"})
    job.run()
    assert status(job.output).rejects == 4
    return job


def contents(job: FakeJob) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(job.output.uri).glob("part-*")}


def test_rows_that_are_fine_by_now_leave_the_rejects(job):
    before = contents(job)
    job.sick.clear()
    job.retry()
    after = contents(job)
    made = {name for name in after if after[name] != before.get(name)}
    assert made == {"part-000002-000001.parquet", "part-000003-000000.parquet"}
    assert status(job.output).reasons == {"text is null": 1, **file_error(job)}
    assert verify(job.output, with_input=True).violations == ()


def file_error(job: FakeJob) -> dict[str, int]:
    """What is wrong with the file that cannot be read."""
    return {reason: number for reason, number in status(job.output).reasons.items() if "Parquet" in reason}


def test_a_corrected_file_is_embedded_under_a_new_number(job, corpus):
    write_parquet(corpus / "a.parquet", texts_of("a", 25))
    write_parquet(corpus / "b.parquet", texts_of("b", 5))
    job.sick.clear()
    plan = job.retry()
    assert [(file.number, Path(file.uri).name) for file in plan.live] == [
        (2, "c.jsonl.gz"),
        (3, "d.parquet"),
        (4, "a.parquet"),
        (5, "b.parquet"),
    ]
    assert (status(job.output).rejects, status(job.output).rows) == (0, 79)
    assert verify(job.output, with_input=True).violations == ()
    assert job.output.rejected() == frozenset()


def test_what_is_still_bad_stays_among_the_rejects(job):
    before = status(job.output)
    job.retry()
    assert status(job.output).reasons == before.reasons
    assert verify(job.output, with_input=True).violations == ()


def test_changed_files_without_rejects_are_named_and_left_alone(job, corpus):
    job.sick.clear()
    job.retry()
    write_parquet(corpus / "d.parquet", texts_of("other", 5))
    (corpus / "c.jsonl.gz").unlink()
    due = due_again(job.found())
    assert due is not None
    assert due.untouched == {str(corpus / "d.parquet"): "has changed", str(corpus / "c.jsonl.gz"): "is gone"}
    job.work(due.prepared)
    assert status(job.output).finished


def test_without_rejects_there_is_nothing_to_do(tmp_path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 5)),), output_in(tmp_path))
    job.run()
    before = Path(job.output.plan_uri).read_bytes()
    assert job.retry() is None
    assert Path(job.output.plan_uri).read_bytes() == before


def test_an_output_without_shards_is_a_usage_error(tmp_path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 5)),), output_in(tmp_path))
    job.prepare()
    with pytest.raises(UsageError, match="no shards are there, so nothing was rejected; run encorpus embed"):
        job.retry()


@pytest.mark.parametrize("end", ["embed", "retry"])
@pytest.mark.parametrize("changes", range(14))
def test_shard_and_rejects_never_disagree_wherever_a_retry_dies(job, changes, end):
    job.sick.clear()
    job.output.storage.left[0] = changes
    with suppress(Crash):
        job.retry()
    job.output.storage.left[0] = None
    unfinished = ("the output: ", "_encorpus/manifest.json: of an earlier plan")
    told = [str(violation) for violation in verify(job.output, with_input=True).violations]
    assert [line for line in told if not line.startswith(unfinished)] == []
    job.run() if end == "embed" else job.retry()
    assert status(job.output).finished
    assert verify(job.output, with_input=True).violations == ()
