"""The report of a real run: written by the run that does work, however it ends, and by no other."""

from dataclasses import replace

import pytest

from pipelines.errors import EncorpusError
from pipelines.job.embed import embed
from tests.pipelines.job.faults import ReadOnlyShard
from tests.pipelines.job.jobs import SHARD_ROWS, job_of, texts_of, write_parquet

pytestmark = pytest.mark.usefixtures("ray_session")

ROWS = 100


@pytest.fixture
def job(tiny_model, tmp_path):
    """Of five units."""
    path = write_parquet(tmp_path / "a.parquet", texts_of("a", ROWS))
    return job_of(path, tmp_path / "out", tiny_model, workers=(1, 1))


@pytest.fixture
def page(tmp_path):
    """What report.html says, None where there is none."""
    path = tmp_path / "out" / "_encorpus" / "report.html"
    return lambda: path.read_text(encoding="utf-8") if path.exists() else None


def test_a_run_leaves_its_report_and_a_rerun_with_nothing_to_do_leaves_that(job, page):
    summary = embed(job)
    assert summary.report == f"{job.output}/_encorpus/report.html"
    said = page()
    assert "complete</p>" in said
    assert f"<dt>rows embedded</dt><dd>{ROWS}<" in said
    again = embed(job)
    assert (again.report, again.report_error, page()) == (None, None, said)


def test_the_report_measured_what_the_workers_did(job, page):
    summary = embed(job)
    said = page()
    assert "of 5; all by this run" in said
    assert f"{summary.stats.texts - summary.stats.distinct:,}<small>encoded once" in said
    assert "rows by their tokens: half the rows up to" in said
    assert "1 worker × wall time" in said
    assert "<dt>runtime</dt><dd>tensorflow<" in said
    assert said.count('<td class="unit">') == 5


def test_a_resumed_run_reports_itself_and_how_much_was_there(job, page, tmp_path):
    embed(job)
    (tmp_path / "out" / "part-000000-000002.parquet").unlink()
    embed(job)
    assert "of 5; 4 were there before" in page()
    assert f"<dt>rows embedded</dt><dd>{SHARD_ROWS}<" in page()


def test_units_that_fail_are_in_the_report(job, page):
    embed(replace(job, storage=ReadOnlyShard(ending="part-000000-000001.parquet")), command="encorpus embed a.parquet")
    assert "1 unit failed</p>" in page()
    assert "<code>encorpus embed a.parquet</code>" in page()
    assert "no space left on device" in page()


def test_a_report_that_cannot_be_written_fails_nothing(job, page):
    summary = embed(replace(job, storage=ReadOnlyShard(ending="report.html")))
    assert summary.manifest is not None
    assert (summary.report, page()) == (None, None)
    assert summary.report_error == f"{job.output}/_encorpus/report.html: cannot write: no space left on device"


def test_an_error_in_the_middle_leaves_a_report_and_stays_the_error(tiny_model, tmp_path, page):
    path = write_parquet(tmp_path / "a.parquet", {**texts_of("a", ROWS), "bad": None})
    with pytest.raises(EncorpusError, match="row 100: text is null; mend it"):
        embed(job_of(path, tmp_path / "out", tiny_model, workers=(1, 1), on_bad_row="fail"))
    assert "stopped by an error</p>" in page()
    assert "row 100: text is null; mend it" in page()


def test_an_interruption_in_the_middle_leaves_a_report(job, page):
    def interrupt(snapshot):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(job, on_progress=interrupt)
    assert "interrupted</p>" in page()
    assert "<dt>units committed</dt><dd>1<" in page()


def test_a_run_that_ended_before_its_first_unit_leaves_the_report_of_the_run_before(job, page, tmp_path, tiny_model):
    embed(job)
    said = page()
    bad = write_parquet(tmp_path / "b.parquet", {"bad": None})
    with pytest.raises(EncorpusError):
        embed(replace(job, inputs=(*job.inputs, str(bad)), on_bad_row="fail"))
    assert page() == said
