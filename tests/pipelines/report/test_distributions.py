"""How rows are spread, drawn: whatever the longest text, every bar can be seen."""

import re
from dataclasses import replace

import numpy as np
import pytest

from pipelines.job.lengths import bin_width, length_counts
from pipelines.report.distributions import charts_of_distributions
from pipelines.report.run_report import Lengths
from tests.pipelines.report.runs import tiny_run


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("tiny"))


def widths(drawing: str) -> list[float]:
    """Of the bars, in a thousandth of the chart's width."""
    return [float(width) for width in re.findall(r'<rect [^>]*width="([-\d.]+)"', drawing)]


def test_rows_that_were_cut_are_a_bar_as_wide_as_the_others_whatever_the_longest_text(report):
    for most in range(3, 1025):
        counts = length_counts(np.array([1, most, most]), most)
        lengths = Lengths(bin_width(most), counts, truncated=1, most=most)
        chart = next(charts_of_distributions(replace(report, lengths=lengths)))
        rows, truncated = (widths(series.drawing) for series in chart.series)
        assert min(rows) > 5, most
        assert truncated == rows[-1:], most
