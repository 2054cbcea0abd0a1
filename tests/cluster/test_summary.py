"""What is told at the end of a run: figures of one clock, and all rejects."""

from dataclasses import replace

from cluster.summary import summary_lines
from pipelines.encoder.stats import EncodeStats
from pipelines.job.embed import Summary
from pipelines.job.progress import Snapshot
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


def test_what_to_do_next_names_the_storage_options_without_their_values():
    complete = replace(DONE, manifest=make_manifest("0" * 64, DONE.fingerprint, ()))
    look, prove = "encorpus search '/data/my vectors' 'a query'", "encorpus verify '/data/my vectors'"
    *_, last = summary_lines(complete, ["key", "client_kwargs"])
    options = "--storage-option key=… --storage-option client_kwargs=…"
    assert last == f"look at it: {look} {options}     prove it: {prove} {options}"


def test_a_run_that_made_nothing_has_nothing_to_tell():
    nothing = replace(DONE, progress=replace(PROGRESS, rows=0, documents=0), seconds_to_first_shard=None)
    assert list(summary_lines(nothing)) == []
