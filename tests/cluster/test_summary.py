"""What is told at the end of a run: figures of one clock, and all rejects."""

from dataclasses import replace

import pytest

from cluster.summary import exit_status, summary_lines
from pipelines.encoder.stats import EncodeStats
from pipelines.job.embed import Summary
from pipelines.job.progress import Snapshot
from pipelines.job.record import Outcome, Record
from pipelines.output.manifest import make_manifest

PROGRESS = Snapshot(
    units_done=1,
    units_planned=1,
    units_failed=0,
    rows=1000,
    documents=1000,
    rejects=0,
    rows_per_second=0.0,
    tokens_per_second=0.0,
    seconds_left=None,
)
DONE = Summary(
    output="/data/my vectors",
    fingerprint="9f86d081",
    manifest=None,
    reasons={},
    failures=(),
    stats=EncodeStats(),
    progress=PROGRESS,
    seconds=136.0,
    seconds_to_first_shard=128.0,
    limited=False,
    report=None,
    report_error=None,
)


def test_the_first_shard_is_told_within_the_time_of_the_run():
    assert next(summary_lines(DONE)) == "embedded 1,000 rows in 2 min 16 s, first shard after 2 min 08 s"


def test_the_rates_name_what_ran_the_encoders():
    stats = sum(
        (EncodeStats(seconds=1.0, flop=9e9, runtimes=(name,)) for name in ("tensorflow", "openvino")), EncodeStats()
    )
    progress = replace(PROGRESS, rows_per_second=50.0, tokens_per_second=2000.0)
    assert "2,000 tokens/s, 9 GFLOP/s a worker by openvino and tensorflow; padding" in "".join(
        summary_lines(replace(DONE, stats=stats, progress=progress))
    )


def reject_lines(rejects: int, reasons: dict[str, int], earlier: int | None = None) -> list[str]:
    """What is told of the rejects of a run, in an output with those of earlier ones; None where it is unfinished."""
    return [line for line in summary_lines(rejecting(rejects, reasons, earlier)) if "reject" in line or "×" in line]


def rejecting(rejects: int, reasons: dict[str, int], earlier: int | None = None) -> Summary:
    whole = None
    if earlier is not None:
        whole = replace(make_manifest("0" * 64, DONE.fingerprint, ()), rejects=rejects + earlier)
    return replace(DONE, progress=replace(PROGRESS, rejects=rejects), reasons=reasons, manifest=whole)


KEPT = "kept in /data/my vectors/_encorpus/rejects"


def test_rejects_of_units_whose_worker_died_count_though_their_reasons_are_not_told():
    assert reject_lines(5, {"text is null": 3}) == [
        f"5 rejects, {KEPT}:",
        "  3 × text is null",
        "  and 2 rejects whose reasons only the files tell",
    ]


def test_rejects_of_earlier_runs_are_told_apart():
    assert reject_lines(3, {"text is null": 3}, earlier=7)[-1] == f"7 rejects of earlier runs, {KEPT}"


def test_rejects_of_this_run_are_not_of_earlier_ones_though_no_reason_is_told():
    assert reject_lines(2, {}, earlier=0) == [
        f"2 rejects, {KEPT}:",
        "  and 2 rejects whose reasons only the files tell",
    ]


@pytest.mark.parametrize("earlier", [None, 0])
def test_the_status_is_3_where_rows_are_rejected_though_no_reason_is_told(earlier):
    assert exit_status(rejecting(2, {}, earlier)) == 3


def test_a_file_that_could_not_be_read_on_is_no_unit():
    name = "s3://corpora/a.csv.gz, read on"
    failures = (Record(name, Outcome.FAILED, "s3://corpora/a.csv.gz: torn"),)
    failed = replace(DONE, progress=replace(PROGRESS, files_failed=1), failures=failures)
    assert list(summary_lines(failed))[1:] == [
        "1 file could not be read on; run the same command again to do what is missing:",
        "  s3://corpora/a.csv.gz, read on: s3://corpora/a.csv.gz: torn",
    ]


def test_what_to_do_next_names_the_storage_options_without_their_values():
    complete = replace(DONE, manifest=make_manifest("0" * 64, DONE.fingerprint, ()))
    look, prove = "encorpus search '/data/my vectors' 'a query'", "encorpus verify '/data/my vectors'"
    *_, last = summary_lines(complete, ["key", "client_kwargs"])
    options = "--storage-option key=… --storage-option client_kwargs=…"
    assert last == f"look at it: {look} {options}     prove it: {prove} {options}"


def test_a_run_that_made_nothing_has_nothing_to_tell():
    nothing = replace(DONE, progress=replace(PROGRESS, rows=0, documents=0), seconds_to_first_shard=None)
    assert list(summary_lines(nothing)) == []


def test_a_node_that_was_given_no_work_is_told_with_its_reason():
    (told,) = [
        line for line in summary_lines(replace(DONE, unfit_nodes=("node gpu-7: the disk is full",))) if "gpu-7" in line
    ]
    assert told == "no work was given to an unfit node: node gpu-7: the disk is full"
