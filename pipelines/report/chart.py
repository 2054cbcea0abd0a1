"""Charts: an SVG drawing that is stretched to its place, between axes whose labels are text of the page.

Stretching a drawing would stretch its text, so there is none in it; lines keep their width by a vector effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.report.axis import Axis

# The drawing's own units.
WIDTH, HEIGHT = 1000, 200


@dataclass(frozen=True)
class Series:
    """Something drawn: its style (a class of the page's style sheet), its name for the key, its SVG elements."""

    style: str
    name: str
    drawing: str


@dataclass(frozen=True)
class Chart:
    """title: what the y axis measures. facts: a few words beside it. told: all that the picture says, in a sentence."""

    title: str
    facts: str
    told: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]


def chart_html(chart: Chart) -> str:
    """The chart as a figure. All its words are the program's own, never a stranger's."""
    named = [series for series in chart.series if series.name]
    key = "".join(f'<span class="key {series.style}">{series.name}</span>' for series in named)
    ys = "".join(f'<span style="top:{100 - 100 * share:.2f}%">{text}</span>' for share, text in chart.y.labels())
    xs = "".join(f'<span style="left:{100 * share:.2f}%">{text}</span>' for share, text in chart.x.labels())
    drawings = "".join(f'<g class="{series.style}">{series.drawing}</g>' for series in chart.series)
    return (
        f'<figure class="chart"><figcaption><b>{chart.title}</b> <span class="facts">{chart.facts}</span>{key}'
        f'</figcaption><div class="frame"><div class="y" aria-hidden="true">{ys}</div>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{chart.told}">'
        f"<title>{chart.told}</title>{_grid(chart.y)}{drawings}</svg>"
        f'<div class="x" aria-hidden="true">{xs}</div><div class="x-title">{chart.x.title}</div></div></figure>'
    )


def steps(x: Axis, y: Axis, edges: np.ndarray, values: np.ndarray) -> str:
    """A line that keeps each value from one edge to the next, and the area below. edges: [n + 1], values: [n]; NaN
    leaves a gap."""
    pieces = np.ma.clump_unmasked(np.ma.masked_invalid(values))
    return "".join(_step_piece(x, y, edges[piece.start : piece.stop + 1], values[piece]) for piece in pieces)


def _step_piece(x: Axis, y: Axis, edges: np.ndarray, values: np.ndarray) -> str:
    xs, ys = _across(x, edges), _down(y, values)
    turns = zip(xs[1:-1], ys, ys[1:], strict=False)
    path = f"M{xs[0]},{ys[0]}" + "".join(f"H{turn}V{after}" for turn, before, after in turns if after != before)
    path += f"H{xs[-1]}"
    return f'<path class="area" d="{path}V{HEIGHT}H{xs[0]}Z"/><path class="line" d="{path}"/>'


def level(y: Axis, value: float) -> str:
    """A level line across the whole drawing."""
    (height,) = _down(y, np.array([value]))
    return f'<path class="line" d="M0,{height}H{WIDTH}"/>'


def band(x: Axis, y: Axis, at: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """The area between two lines through points [n] of the same places; a single point becomes a level band."""
    xs, lows, highs = _across(x, at), _down(y, low), _down(y, high)
    if len(xs) == 1:
        xs, lows, highs = ["0", str(WIDTH)], lows * 2, highs * 2
    there = "L".join(f"{place},{height}" for place, height in zip(xs, highs, strict=True))
    back = "L".join(f"{place},{height}" for place, height in zip(reversed(xs), reversed(lows), strict=True))
    return f'<path class="area" d="M{there}L{back}Z"/>'


def line(x: Axis, y: Axis, at: np.ndarray, values: np.ndarray) -> str:
    """A line through points [n]; a single one becomes a level line."""
    if len(at) == 1:
        return level(y, float(values[0]))
    points = "L".join(f"{place},{height}" for place, height in zip(_across(x, at), _down(y, values), strict=True))
    return f'<path class="line" d="M{points}"/>'


def bars(x: Axis, y: Axis, edges: np.ndarray, floor: np.ndarray, top: np.ndarray, told: Sequence[str]) -> str:
    """Bars between edges [n + 1], each from a floor to a top [n]; told: what each says when it is pointed at."""
    lefts, rights = x.share(edges[:-1]) * WIDTH, x.share(edges[1:]) * WIDTH
    bottoms, tops = (1 - y.share(floor)) * HEIGHT, (1 - y.share(top)) * HEIGHT
    gaps = np.minimum(3.0, 0.15 * (rights - lefts))
    widths = rights - lefts - gaps
    return "".join(
        f'<rect x="{left:.1f}" y="{upper:.1f}" width="{width:.1f}" '
        f'height="{bottom - upper:.1f}"><title>{words}</title></rect>'
        for left, width, upper, bottom, words in zip(lefts + gaps / 2, widths, tops, bottoms, told, strict=True)
        if bottom > upper
    )


def _grid(y: Axis) -> str:
    lines = "".join(f"M0,{height}H{WIDTH}" for height in _down(y, np.array(y.ticks)))
    return f'<path class="grid" d="{lines}"/>'


def _across(x: Axis, values: np.ndarray) -> list[str]:
    return [f"{place:.1f}" for place in x.share(values) * WIDTH]


def _down(y: Axis, values: np.ndarray) -> list[str]:
    return [f"{height:.1f}" for height in (1 - y.share(values)) * HEIGHT]
