"""What went wrong and what took long: what failed, rejects with examples, the slowest units, idle encoders."""

from collections.abc import Iterable, Sequence

from pipelines.numbers import count
from pipelines.report.run_report import RejectExample, RunReport
from pipelines.report.safe_text import shown
from pipelines.report.written import share, time_spent

SHOWN_FAILURES = 20
SHOWN_REASONS = 20
SHOWN_ENCODERS = 10

# The end of a long path says more than its beginning; a reason or message may be a sentence.
MOST_NAME, MOST_MESSAGE, MOST_TEXT = 160, 300, 200


def failures_html(report: RunReport) -> str:
    """The units that failed and the files that could not be read on, with what they said; nothing where none did."""
    if not report.failures:
        return ""
    items = "".join(
        f"<li><b>{shown(unit.unit, MOST_NAME)}</b> <small>{shown(unit.outcome)}</small>"
        f"<br>{shown(unit.message, MOST_MESSAGE)}</li>"
        for unit in report.failures[:SHOWN_FAILURES]
    )
    more = _more(len(report.failures) - SHOWN_FAILURES, "failure")
    return f'<section><h2>What failed</h2><ul class="failures">{items}</ul>{more}</section>'


def rejects_html(report: RunReport) -> str:
    """The reasons for which rows were rejected, most frequent first, each with a few examples. A worker that died after
    its commit told no reasons."""
    if not report.rejects:
        return ""
    ranked = sorted(report.reasons.items(), key=lambda item: -item[1])
    blocks = [_reason_html(reason, rows, report.examples.get(reason, ())) for reason, rows in ranked[:SHOWN_REASONS]]
    where = shown(f"{report.output}/_encorpus/rejects", MOST_MESSAGE)
    more = _more(len(ranked) - SHOWN_REASONS, "reason")
    if untold := report.rejects - sum(report.reasons.values()):
        more += f'<p class="more">and {count(untold, "reject")} whose reasons only the files tell</p>'
    told = f'<p>All of them are in <span class="path">{where}</span>.</p>'
    return f"<section><h2>Rejects</h2>{told}{''.join(blocks)}{more}</section>"


def slowest_html(report: RunReport) -> str:
    """The units that took longest."""
    if not report.slowest:
        return ""
    rows = [
        (
            _unit(unit.unit),
            _number(time_spent(unit.seconds)),
            _number(time_spent(unit.encoding)),
            _number(f"{unit.rows:,}"),
            _number(f"{unit.tokens:,}"),
            _path(unit.file),
        )
        for unit in report.slowest
    ]
    table = _table("Slowest units", ("unit", "time", "encoding", "rows", "tokens", "file"), rows, numbers=(1, 2, 3, 4))
    told = "From beginning to read a unit to its commit; a worker has two in hand, and each waits for the encoder."
    return f"<section><h2>Slowest units</h2><p>{told}</p>{table}</section>"


def encoders_html(report: RunReport) -> str:
    """The workers whose encoders were idle longest; nothing where none had two units."""
    idle = [encoder for encoder in report.encoders if encoder.units > 1]
    if not idle:
        return ""
    rows = [
        (
            shown(encoder.worker, MOST_NAME),
            _number(f"{encoder.units:,}"),
            _number(time_spent(encoder.seconds)),
            _number(time_spent(encoder.idle)),
            _number(share(encoder.idle, encoder.seconds)),
        )
        for encoder in idle[:SHOWN_ENCODERS]
    ]
    table = _table("Idle encoders", ("worker", "units", "time", "idle", "share"), rows, numbers=(1, 2, 3, 4))
    told = "From a worker’s first unit in the encoder to its last; what it waited for, embed --profile tells."
    more = _more(len(idle) - SHOWN_ENCODERS, "worker")
    return f"<section><h2>Idle encoders</h2><p>{told}</p>{table}{more}</section>"


def _reason_html(reason: str, rows: int, examples: Sequence[RejectExample]) -> str:
    heading = f"<h3>{rows:,} × {shown(reason, MOST_MESSAGE)}</h3>"
    if not examples:
        return heading
    cells = [
        (
            _number("" if example.row is None else f"{example.row:,}"),
            "" if example.row_id is None else shown(example.row_id, MOST_NAME),
            _path(example.file),
            "" if example.text is None else shown(example.text, MOST_TEXT),
        )
        for example in examples
    ]
    return heading + _table("Examples of this reason", ("row", "id", "file", "text"), cells, numbers=(0,))


def _table(name: str, headings: Iterable[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table of cells that are HTML already; it scrolls sideways where it is wider than the page."""
    head = "".join(
        f'<th scope="col"{" class=number" if place in numbers else ""}>{heading}</th>'
        for place, heading in enumerate(headings)
    )
    body = "".join(
        "<tr>" + "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _number(text: str) -> str:
    return f'<td class="number">{text}</td>'


def _unit(name: str) -> str:
    return f'<td class="unit">{shown(name, MOST_NAME)}</td>'


def _path(path: str) -> str:
    """A path, of which the end is kept."""
    return (
        f'<span class="path">{shown(path if len(path) <= MOST_NAME else "…" + path[1 - MOST_NAME :], MOST_NAME)}</span>'
    )


def _more(number: int, noun: str) -> str:
    return f'<p class="more">and {count(number, "more " + noun)}</p>' if number > 0 else ""
