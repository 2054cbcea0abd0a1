"""What a run of a job tells: at its start what there is to do, at its end what came of it."""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from cluster.progress_display import retries_told
from pipelines.job.embed import Summary
from pipelines.job.prepare import Prepared
from pipelines.numbers import count, duration, failures_told, rows_held, size
from pipelines.output_command import output_command

SHOWN_FAILURES = 5
SHOWN_REASONS = 5
SHOWN_FILES = 5
STORAGE_OPTION = "--storage-option"
ALL_EMBEDDED, FAILED, SOME_REJECTED = 0, 1, 3


def command_told(words: Sequence[str]) -> str:
    """The command as a shell takes it, without the values of storage options, which may be secrets."""
    told: list[str] = []
    for before, word in pairwise(["", *words]):
        option, equals, pair = ("", "", word) if before == STORAGE_OPTION else word.partition("=")
        if before == STORAGE_OPTION or (equals and option == STORAGE_OPTION):
            told.append(f"{option}{equals}{shlex.quote(pair.partition('=')[0])}=…")
        else:
            told.append(shlex.quote(word))
    return " ".join(["encorpus", *told])


def exit_status(summary: Summary) -> int:
    """0 all embedded, or stopped at the limit; 1 something failed; 3 some rows or files were rejected."""
    if summary.failures:
        return FAILED
    rejects = summary.manifest.rejects if summary.manifest else summary.progress.rejects
    return SOME_REJECTED if rejects else ALL_EMBEDDED


def plan_line(prepared: Prepared) -> str:
    """How large the corpus is, how much of it is there, and what is to do."""
    files = prepared.plan.live
    size_told = size(sum(file.size for file in files))
    line = f"{count(len(files), 'file')}, {size_told}; {count(prepared.committed, 'unit')} committed"
    left = prepared.remaining
    if left.nothing:
        return line + ", nothing missing"
    missing = [count(len(left.units), "unit")] if left.units else []
    missing += [count(len(left.streams), "streamed file")] if left.streams else []
    return f"{line}, {' and '.join(missing)} to do"


def update_lines(prepared: Prepared) -> Iterator[str]:
    """What an update takes over, and which files have vanished."""
    changes = prepared.changes
    parts = [count(len(changes.new), "new file")] if changes.new else []
    parts += [f"{len(changes.changed):,} changed"] if changes.changed else []
    if changes.vanished:
        rows = "its rows" if len(changes.vanished) == 1 else "their rows"
        what = f"{rows} will be removed" if prepared.job.prune else f"kept; --prune removes {rows}"
        parts.append(f"{len(changes.vanished):,} vanished ({what})")
    if parts:
        yield ", ".join(parts)
    yield from file_lines({file.uri: "vanished" for file in changes.vanished})


def file_lines(files: Mapping[str, str]) -> Iterator[str]:
    """A line for each of the first files, with what has become of it, and how many more there are."""
    yield from (f"  {uri} {what}" for uri, what in list(files.items())[:SHOWN_FILES])
    if len(files) > SHOWN_FILES:
        yield f"  and {len(files) - SHOWN_FILES:,} more"


def summary_lines(summary: Summary, storage_options: Collection[str] = ()) -> Iterator[str]:
    """What was made, at what rate, what was rejected or failed, and what the output holds in all.

    storage_options: the names of those that the output needs.
    """
    progress, stats = summary.progress, summary.stats
    if progress.rows or progress.rejects:
        seconds = f"{duration(summary.seconds)}, first shard after {duration(summary.seconds_to_first_shard or 0)}"
        yield f"embedded {rows_held(progress.rows, progress.documents)} in {seconds}"
        if progress.rows_per_second:
            a_second = stats.flop / max(stats.seconds, 1e-9) / 1e9
            operations = f", {a_second:,.0f} GFLOP/s a worker" if stats.flop else ""
            by = f" by {' and '.join(stats.runtimes)}" if stats.runtimes else ""
            yield (
                f"  {progress.rows_per_second:,.0f} rows/s, {progress.tokens_per_second:,.0f} tokens/s{operations}{by};"
                f" padding {stats.padding:.1%}, {stats.texts - stats.distinct:,} duplicates encoded once"
            )
        if summary.encoders_idle is not None:
            yield f"  encoders idle {summary.encoders_idle:.1%} of the time between their first unit and their last"
    if progress.retries:
        yield f"  {retries_told(progress.retries)}"
    yield from (f"no work was given to an unfit node: {line}" for line in summary.unfit_nodes)
    yield from _reject_lines(summary)
    yield from _failure_lines(summary)
    if summary.limited:
        yield f"{summary.output}: stopped at the limit; run the same command without --limit to do what is missing"
    if summary.report is not None:
        yield f"report: {summary.report}"
    if summary.report_error is not None:
        yield f"the report could not be written: {summary.report_error}"
    if summary.manifest is not None:
        whole = summary.manifest
        held = f"{rows_held(whole.rows, whole.documents)} in {count(whole.units, 'shard')}, {size(whole.bytes)}"
        yield f"{summary.output}: complete, {held}"
        look = output_command("search", summary.output, storage_options, "a query")
        prove = output_command("verify", summary.output, storage_options)
        yield f"look at it: {look}     prove it: {prove}"


def _reject_lines(summary: Summary) -> Iterator[str]:
    """Those of this run by reason, as far as a worker lived to tell it, and how many others the output has."""
    rejects, kept = summary.progress.rejects, f"kept in {summary.output}/_encorpus/rejects"
    if rejects:
        yield f"{count(rejects, 'reject')}, {kept}:"
        ranked = sorted(summary.reasons.items(), key=lambda item: -item[1])
        yield from (f"  {number:,} × {reason}" for reason, number in ranked[:SHOWN_REASONS])
        if len(ranked) > SHOWN_REASONS:
            yield f"  and {len(ranked) - SHOWN_REASONS} more reasons"
        if untold := rejects - sum(summary.reasons.values()):
            yield f"  and {count(untold, 'reject')} whose reasons only the files tell"
    if summary.manifest is not None and summary.manifest.rejects > rejects:
        yield f"{count(summary.manifest.rejects - rejects, 'reject')} of earlier runs, {kept}"


def _failure_lines(summary: Summary) -> Iterator[str]:
    if summary.failures:
        told = failures_told(summary.progress.units_failed, summary.progress.files_failed)
        yield f"{told}; run the same command again to do what is missing:"
        yield from (f"  {record.unit}: {record.message}" for record in summary.failures[:SHOWN_FAILURES])
        if len(summary.failures) > SHOWN_FAILURES:
            yield f"  and {len(summary.failures) - SHOWN_FAILURES} more"
