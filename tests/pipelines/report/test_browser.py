"""The report in a real browser: nothing sticks out, nothing is loaded, nothing is complained of."""

import pytest

from pipelines.report.page import report_html
from tests.pipelines.report.browser import CHROMIUM, lay_out
from tests.pipelines.report.runs import big_run, instant_run, stopped_run, tiny_run, troubled_run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")

RUNS = (big_run, troubled_run, stopped_run, tiny_run, instant_run)


@pytest.fixture(scope="module", params=RUNS, ids=lambda run: run.__name__)
def page(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    path.write_text(report_html(request.param(folder / "out")), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1200, 768, 360])
def test_nothing_sticks_out_sideways_and_nothing_is_complained_of(page, width):
    laid = lay_out(page, width)
    assert width - 20 <= laid.width <= width
    assert (laid.scroll_width, laid.beyond, laid.console) == (laid.width, [], [])


def test_a_page_that_loads_something_or_is_too_wide_would_be_noticed(tmp_path):
    path = tmp_path / "bad.html"
    page = report_html(tiny_run(tmp_path / "out"))
    bad = '<p style="width:500px">wide</p><img src="http://127.0.0.1:1/x.png">'
    path.write_text(page.replace("</main>", f"{bad}</main>"), encoding="utf-8")
    laid = lay_out(path, 360)
    assert laid.scroll_width > laid.width
    assert "wide" in laid.beyond[0]
    assert "Content Security Policy" in laid.console[0]
