"""The top of the report: what was run, how it ended, and its key figures."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.numbers import count, failures_told, rate, size
from pipelines.report.run_report import End, RunReport, Whole
from pipelines.report.safe_text import shown
from pipelines.report.written import number, share, time_spent

MOST_MESSAGE = 1000


@dataclass(frozen=True)
class Figure:
    """A number with its name and a note on it; style: good, warn, bad, or none. All of it is HTML already."""

    name: str
    value: str
    note: str = ""
    style: str = ""


def head_html(report: RunReport) -> str:
    """Title, state, and what was run."""
    facts = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _facts(report))
    message = f'<p class="message bad">{shown(report.message, MOST_MESSAGE)}</p>' if report.message else ""
    told, style = state(report)
    return (
        f'<header><p class="kind">encorpus run</p><h1>{shown(report.output, MOST_MESSAGE)}</h1>'
        f'<p class="state {style}">{told}</p>{message}'
        f'<dl class="facts-list">{facts}</dl></header>'
    )


def state(report: RunReport) -> tuple[str, str]:
    """How the run ended, in a few words of the program's own, and their style."""
    if report.end is End.UNITS_FAILED:
        return failures_told(report.units.failed, report.files_failed), "bad"
    if report.end is End.COMPLETE:
        rejects = f", with {count(report.rejects_left, 'reject')}" if report.rejects_left else ""
        return f"{report.end}{rejects}", "warn" if rejects else "good"
    return str(report.end), "warn" if report.end in (End.INTERRUPTED, End.LIMITED) else "bad"


def figures_html(report: RunReport) -> str:
    """First what tells whether the run was healthy, then what it did and cost."""
    return (
        f'<section aria-label="Health"><dl class="figures health">{_cells(_health(report))}</dl></section>'
        f'<section aria-label="Key figures"><dl class="figures">{_cells(_key_figures(report))}</dl></section>'
    )


def _cells(figures: Iterator[Figure]) -> str:
    return "".join(
        f'<div class="{figure.style}"><dt>{figure.name}</dt><dd>{figure.value}<small>{figure.note}</small></dd></div>'
        for figure in figures
    )


def _facts(report: RunReport) -> Iterator[tuple[str, str]]:
    spec = report.spec
    yield "model", f'<span class="path">{shown(str(spec.get("model")))}</span>'
    chunks = spec.get("chunk_tokens")
    length = f"chunks of {chunks} tokens" if chunks else f"{spec.get('max_tokens')} tokens at most"
    made = [f"pooling {spec.get('pooling')}", length, str(spec.get("dtype"))]
    made += ["one vector a document"] if spec.get("chunk_pool") else []
    made += ["normalized"] if spec.get("normalize") else []
    made += [f"layers {spec['layers']}"] if spec.get("layers") else []
    made += [f"computed in {spec['precision']}"] if spec.get("precision", "float32") != "float32" else []
    yield "vectors", shown(", ".join(made))
    yield "fingerprint", f"<code>{shown(report.fingerprint)}</code>"
    yield "from, to", f"{_utc(report.started)} to {_utc(report.started + report.seconds)} UTC"
    yield "encorpus", shown(report.encorpus_version)


def _health(report: RunReport) -> Iterator[Figure]:
    units, rows = report.units, report.rows
    there = units.before + units.done
    planned = "streamed files may have more" if units.planned is None else f"of {units.planned:,}"
    were = "was" if units.before == 1 else "were"
    earlier = f"{units.before:,} {were} there before" if units.before else "all by this run"
    yield Figure("units committed", f"{there:,}", f"{planned}; {earlier}")
    unread = failures_told(0, report.files_failed)
    yield Figure("units failed", f"{units.failed:,}", unread, "bad" if units.failed or unread else "good")
    yield _rejects(report)
    yield Figure("storage retries", f"{report.retries:,}", "", "warn" if report.retries else "good")
    busy = share(report.stats.seconds, report.worker_seconds)
    yield Figure("encoders busy", busy, "of all workers’ time, loading included")
    between = sum(encoder.seconds for encoder in report.encoders)
    idle = share(sum(encoder.idle for encoder in report.encoders), between)
    yield Figure("encoders idle", idle, "between the first unit of each and its last")
    if not report.spec.get("chunk_tokens"):
        yield Figure("rows cut", share(report.lengths.truncated, rows), f"at {report.lengths.most:,} tokens")


def _rejects(report: RunReport) -> Figure:
    """Those of this run, and of what it read, which are rows or documents; rows may be chunks."""
    read = "rows" if report.rows == report.documents else "documents"
    told = [f"{share(report.rejects, report.documents + report.rejects)} of the {read} read"] if report.rejects else []
    told += [f"{report.rejects_left:,} in the whole output"] if report.rejects_left > report.rejects else []
    return Figure("rejects", f"{report.rejects:,}", "; ".join(told), "warn" if report.rejects_left else "good")


def _key_figures(report: RunReport) -> Iterator[Figure]:
    stats, seconds = report.stats, max(report.seconds, 1e-9)
    loading = "" if report.rows_per_second else "loading included"
    yield Figure("rows embedded", f"{report.rows:,}", _of_documents(report.rows, report.documents))
    yield Figure("tokens", f"{report.tokens:,}", _a_row(report, report.tokens, ""))
    yield Figure("rows/s", rate(report.rows_per_second or report.rows / seconds), loading)
    yield Figure("tokens/s", rate(report.tokens_per_second or report.tokens / seconds), loading)
    if stats.flop and stats.seconds:
        yield Figure("GFLOP/s", f"{stats.flop / stats.seconds / 1e9:,.0f}", "of a worker, while it encodes")
    if stats.runtimes:
        yield Figure("runtime", " and ".join(stats.runtimes))
    yield Figure("padding", share(stats.padding, 1), "of the encoded positions")
    yield Figure("duplicates", f"{stats.texts - stats.distinct:,}", "encoded once with their likes")
    yield Figure("written", size(report.bytes), _a_row(report, report.bytes, "bytes "))
    yield Figure("wall time", time_spent(report.seconds))
    hours = report.worker_seconds / 3600
    first = report.seconds_to_first_shard
    yield Figure("first shard after", "—" if first is None else time_spent(first))
    yield Figure(
        "worker-hours", number(hours, 0.01 if hours >= 1 else 0.0001), f"{count(report.workers, 'worker')} × wall time"
    )
    yield Figure("encoder time", time_spent(stats.seconds), "summed over the workers")
    if report.whole is not None and report.units.before:
        yield _whole(report.whole)


def _whole(whole: Whole) -> Figure:
    told = _of_documents(whole.rows, whole.documents)
    told += f"{'; ' if told else ''}{count(whole.units, 'shard')}, {size(whole.bytes)}"
    told += f", {count(whole.rejects, 'reject')}" if whole.rejects else ""
    return Figure("whole output", count(whole.rows, "row"), told)


def _of_documents(rows: int, documents: int) -> str:
    """Nothing where the rows are no chunks."""
    return "" if rows == documents else f"of {count(documents, 'document')}"


def _a_row(report: RunReport, amount: int, unit: str) -> str:
    return f"{rate(amount / report.rows)} {unit}a row" if report.rows else ""


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
