"""What changed while the run went on: rates, workers, padding, retries, each as a chart over time."""

from collections.abc import Iterator

import numpy as np

from pipelines.numbers import duration, rate
from pipelines.report.axis import Axis, from_zero, time_unit, up_to
from pipelines.report.chart import Chart, Series, steps
from pipelines.report.run_report import OverTime, RunReport
from pipelines.report.written import share

# Nothing can be seen of the course of a shorter run.
LEAST_SECONDS = 0.1

WORKERS = "workers"


def charts_over_time(report: RunReport) -> Iterator[Chart]:
    """Each with its own y axis, above the same time; none for a run of an instant."""
    time = report.over_time
    if time.seconds < LEAST_SECONDS:
        return
    if report.rows:
        yield _rate(time, time.rows, "rows a second", "rows", report.rows_per_second)
        yield _rate(time, time.tokens, "tokens a second", "tokens", report.tokens_per_second)
    yield _workers(report)
    if time.padded_tokens.any():
        yield _padding(report)
    if time.retries.any():
        yield _retries(time)


def _rate(time: OverTime, amounts: np.ndarray, title: str, style: str, mean: float) -> Chart:
    rates = amounts / time.extents
    mean = mean or float(amounts.sum()) / time.seconds
    facts = f"mean {rate(mean)}"
    told = f"{title} over {duration(time.seconds)}: {facts}, highest {rate(float(rates.max()))}"
    return _over_time(time, title, facts, told, ((style, "", rates),))


def _workers(report: RunReport) -> Chart:
    time = report.over_time
    # A unit's time in the encoder is spread over all its time, so a bin may seem to hold more than there was.
    encoding = np.minimum(time.encoding / time.extents, time.workers)
    facts = f"encoding {share(report.stats.seconds, report.worker_seconds)} of the time"
    told = f"workers over {duration(time.seconds)}: at most {time.workers.max():,} with a unit in hand; {facts}"
    named = (("in-hand", "with a unit in hand", time.workers), ("encoding", "encoding", encoding))
    return _over_time(time, WORKERS, facts, told, named)


def _padding(report: RunReport) -> Chart:
    time = report.over_time
    encoded = time.padded_tokens > 0
    padding = 100 * (1 - time.distinct_tokens / np.where(encoded, time.padded_tokens, np.nan))
    facts = f"mean {share(report.stats.padding, 1)}"
    told = f"padding over {duration(time.seconds)}, in per cent of the encoded positions: {facts}"
    return _over_time(time, "padding, % of positions", facts, told, (("padding", "", padding),))


def _retries(time: OverTime) -> Chart:
    facts = f"{time.retries.sum():,.0f} by the workers"
    told = f"retries of storage a minute over {duration(time.seconds)}: {facts}"
    return _over_time(
        time, "storage retries a minute", facts, told, (("retries", "", 60 * time.retries / time.extents),)
    )


def _over_time(
    time: OverTime, title: str, facts: str, told: str, named: tuple[tuple[str, str, np.ndarray], ...]
) -> Chart:
    """named: each series' style, its name for the key, its values, NaN where there is none."""
    x = _time_axis(time)
    highest = max(float(np.nanmax(values)) for _, _, values in named)
    y = from_zero(highest, title, least_step=1.0 if title == WORKERS else 0.0)
    size, _ = time_unit(time.seconds)
    edges = np.minimum(np.arange(len(time.rows) + 1) * time.width, time.seconds) / size
    series = tuple(Series(style, name, steps(x, y, edges, values)) for style, name, values in named)
    return Chart(title, facts, told, x, y, series)


def _time_axis(time: OverTime) -> Axis:
    size, name = time_unit(time.seconds)
    return up_to(time.seconds / size, f"{name} since the start")
