"""Charts as drawings: lines where the numbers are, gaps where there are none."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.axis import from_zero, up_to
from pipelines.report.chart import Chart, Series, band, bars, chart_html, line, steps

X, Y = up_to(4.0, "seconds"), from_zero(2.0, "rows")
EDGES = np.arange(5.0)


def lines(drawing: str) -> list[str]:
    """The paths of lines, without the areas below them."""
    return re.findall(r'class="line" d="([^"]*)"', drawing)


def test_a_line_of_steps_keeps_each_value_up_to_the_next_edge():
    assert lines(steps(X, Y, EDGES, np.array([0.0, 1, 1, 2]))) == ["M0.0,200.0H250.0V100.0H750.0V0.0H1000.0"]


def test_nan_leaves_a_gap():
    assert lines(steps(X, Y, EDGES, np.array([1.0, np.nan, np.nan, 1]))) == ["M0.0,100.0H250.0", "M750.0,100.0H1000.0"]


def test_nothing_but_nan_draws_nothing():
    assert steps(X, Y, EDGES, np.full(4, np.nan)) == ""


def test_a_single_point_is_a_level_line_across():
    assert lines(line(X, Y, np.array([2.0]), np.array([1.0]))) == ["M0,100.0H1000"]
    assert 'd="M0,0.0L1000,0.0L1000,200.0L0,200.0Z"' in band(X, Y, np.array([2.0]), np.zeros(1), np.array([2.0]))


def test_bars_stand_on_their_floor_and_empty_ones_are_left_out():
    floor, top = np.array([0.0, 0, 1, 2]), np.array([1.0, 0, 2, 2])
    drawn = re.findall(
        r'x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', bars(X, Y, EDGES, floor, top, ["w"] * 4)
    )
    assert [(float(y), float(height)) for _, y, _, height in drawn] == [(100, 100), (0, 100)]
    assert [round(float(x)) for x, _, _, _ in drawn] == [2, 502]


@given(st.integers(1, 64), st.data())
def test_no_bar_is_too_narrow_to_be_seen(n, data):
    edges = np.cumsum([0.0, *data.draw(st.lists(st.integers(1, 30), min_size=n, max_size=n))])
    drawing = bars(up_to(edges[-1], "tokens"), Y, edges, np.zeros(n), np.ones(n), ["w"] * n)
    widths = [float(width) for width in re.findall(r'width="([-\d.]+)"', drawing)]
    assert len(widths) == n
    assert min(widths) > 0


@pytest.mark.parametrize("part", ["<title>said</title>", 'aria-label="said"', "seconds</div>", ">name</span>"])
def test_a_chart_has_its_title_axes_and_key_in_words(part):
    chart = Chart("rows", "facts", "said", X, Y, (Series("rows", "name", line(X, Y, EDGES, EDGES / 4)),))
    assert part in chart_html(chart)
