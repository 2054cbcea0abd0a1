"""How rows and vectors are spread: tokens a row as a histogram, vector norms over the shards."""

from collections.abc import Iterator

import numpy as np

from pipelines.numbers import count
from pipelines.report.axis import around, from_zero, up_to
from pipelines.report.chart import Chart, Series, band, bars, line
from pipelines.report.run_report import Lengths, Norms, RunReport
from pipelines.report.written import number, share


def charts_of_distributions(report: RunReport) -> Iterator[Chart]:
    """Those that there are numbers for. Documents that are pooled from chunks may be of any length."""
    if any(report.lengths.counts) and not report.spec.get("chunk_pool"):
        yield _lengths(report.lengths)
    if len(report.norms.mean):
        yield _norms(report.norms)


def _lengths(lengths: Lengths) -> Chart:
    """All rows whose texts were cut have the most tokens, so they stand in the last bar, above the others. That is as
    wide as the others, though it may hold fewer numbers of tokens."""
    counts = np.array(lengths.counts, np.float64)
    starts = np.arange(len(counts)) * lengths.width
    ends = np.minimum(starts + lengths.width, lengths.most)
    whole = counts.copy()
    whole[-1] -= min(lengths.truncated, counts[-1])
    edges = np.arange(len(counts) + 1) * float(lengths.width)
    x = up_to(edges[-1], "tokens a row, after truncation", most=8, least_step=1.0)
    y = from_zero(counts.max(), "rows", least_step=1.0)
    told = [
        f"{_range(start + 1, end)}: {count(round(n), 'row')}"
        for start, end, n in zip(starts.tolist(), ends.tolist(), counts, strict=True)
    ]
    mean = f"half the rows up to {_upper(lengths, 0.5)} tokens, 99% up to {_upper(lengths, 0.99)}"
    cut = f"{share(lengths.truncated, counts.sum())} cut at {lengths.most:,}"
    series = [Series("lengths", "", bars(x, y, edges, np.zeros_like(counts), whole, told))]
    if lengths.truncated:
        drawing = bars(x, y, edges, whole, counts, told)
        series.append(Series("truncated", f"cut at {lengths.most:,} tokens", drawing))
    return Chart("rows", f"{mean}; {cut}", f"rows by their tokens: {mean}; {cut}", x, y, tuple(series))


def _upper(lengths: Lengths, part: float) -> str:
    """The tokens up to which so many of the rows go, as exactly as the bars tell."""
    sums = np.cumsum(lengths.counts)
    bar = int(np.searchsorted(sums, part * sums[-1]))
    return f"{min((bar + 1) * lengths.width, lengths.most):,}"


def _range(first: float, last: float) -> str:
    return f"{last:,} tokens" if first >= last else f"{first:,} to {last:,} tokens"


def _norms(norms: Norms) -> Chart:
    n = len(norms.mean)
    at = (np.arange(n) + 0.5) * norms.shards / n
    x = up_to(
        float(norms.shards), f"shards of {'the whole output' if norms.whole else 'this run'}, in order", least_step=1.0
    )
    y = around(float(norms.least.min()), float(norms.most.max()), "vector norm")
    step = y.ticks[1] - y.ticks[0]
    facts = f"{number(float(norms.least.min()), step / 10)} to {number(float(norms.most.max()), step / 10)}"
    told = f"vector norms over {count(norms.shards, 'shard')}: {facts}"
    return Chart(
        "vector norm",
        facts,
        told,
        x,
        y,
        (
            Series("spread", "least to most", band(x, y, at, norms.least, norms.most)),
            Series("mean", "mean", line(x, y, at, norms.mean)),
        ),
    )
