"""The report as a file: whole HTML that needs nothing else, says what happened, and stays small."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.report.page import report_html
from pipelines.report.run_report import End, FailedUnit, RejectExample, SlowUnit
from tests.pipelines.report.runs import (
    big_run,
    chunked_run,
    instant_run,
    pooled_run,
    resumed_run,
    stopped_run,
    tiny_run,
    troubled_run,
    unread_run,
)

RUNS = (big_run, troubled_run, stopped_run, tiny_run, instant_run, pooled_run, chunked_run, resumed_run, unread_run)

VOID = {"meta", "br"}
TEXT_ELEMENTS = {"title", "style", "h1", "h2", "h3", "p", "b", "small", "code", "pre", "bdi", "span", "br"}
BOXES = {"html", "head", "meta", "body", "main", "header", "section", "div", "figure", "figcaption"}
LISTS = {"dl", "dt", "dd", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"}
DRAWINGS = {"svg", "g", "path", "rect"}
ELEMENTS = TEXT_ELEMENTS | BOXES | LISTS | DRAWINGS
LOADING = {"src", "href", "srcset", "data", "action", "formaction", "background", "poster"}


class Reader(HTMLParser):
    """Takes a page apart, and fails where its elements are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes.update(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes.update(attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that can be read."""
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module", params=RUNS, ids=lambda run: run.__name__)
def report(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    return troubled_run(tmp_path_factory.mktemp("troubled"))


def test_every_element_is_one_of_the_report_s_own_and_is_closed(report):
    assert Reader(report_html(report)).elements <= ELEMENTS


def test_no_attribute_runs_or_loads_anything(report):
    for name, value in Reader(report_html(report)).attributes:
        assert not name.startswith("on")
        assert (
            name not in ("src", "href", "srcset", "data", "action", "http-equiv") or value == "Content-Security-Policy"
        )
        assert "url(" not in (value or "")


def test_the_style_sheet_loads_nothing(tiny):
    page = report_html(tiny)
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_the_file_stays_small(report):
    assert len(report_html(report).encode()) < 100_000


def test_the_same_run_gives_the_same_file(troubled):
    assert report_html(troubled) == report_html(troubled)


HOSTILE = st.text(st.sampled_from("<>\"'&;/=x \\\u202e\u0000\ud800é") | st.characters(codec=None), max_size=60)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_nothing_of_a_stranger_becomes_an_element(tiny, data):
    def text() -> str:
        return data.draw(HOSTILE)

    reason = text()
    hostile = replace(
        tiny,
        output=text(),
        spec={"model": text(), "pooling": text(), "max_tokens": text(), "dtype": text(), "layers": [text()]},
        fingerprint=text(),
        encorpus_version=text(),
        command=text(),
        storage_options=(text(),),
        message=text(),
        end=data.draw(st.sampled_from(End)),
        rejects=1,
        reasons={reason: 1},
        examples={reason: (RejectExample(text(), None, text(), text()),)},
        slowest=(SlowUnit(text(), text(), 1.0, 1.0, 1, 1),),
        failures=(FailedUnit(text(), text(), text()),),
    )
    read = Reader(report_html(hostile).encode().decode())
    assert read.elements <= ELEMENTS
    assert {name for name, _ in read.attributes} <= {name for name, _ in Reader(report_html(tiny)).attributes}


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (tiny_run, "complete"),
        (instant_run, "complete, with 2 rejects"),
        (resumed_run, "complete, with 5,000 rejects"),
        (troubled_run, "61 units failed"),
        (unread_run, "1 unit failed, 1 file could not be read on"),
        (stopped_run, "stopped by an error"),
    ],
)
def test_the_first_thing_told_is_how_the_run_ended(tmp_path, run, told):
    report = run(tmp_path)
    page = report_html(report)
    assert f"{told}</p>" in page
    assert page.index(f"{told}</p>") < page.index("<dl")


def test_the_key_figures_are_there(tiny):
    text = Reader(report_html(tiny)).text
    for told in (
        "2026-09-21 14:13:20 to 2026-09-21 14:13:29 UTC",
        "rows embedded 12",
        "pooling mean, 128 tokens at most",
    ):
        assert told in text
    for told in ("first shard after 9.2 s", "written 18.7 kB", "worker-hours 0.0026 1 worker × wall time"):
        assert told in text


def test_units_of_earlier_runs_are_told_apart(tmp_path):
    text = Reader(report_html(big_run(tmp_path, units=100))).text
    assert "units committed 4,100 of 4,100; 4,000 were there before" in text
    assert "rows embedded 95,600" in text


def test_a_single_unit_of_earlier_runs_is_told_as_one(tmp_path):
    assert "of 2; 1 was there before" in report_html(resumed_run(tmp_path))


def test_rejects_of_earlier_runs_are_the_whole_output_s(tmp_path):
    text = Reader(report_html(resumed_run(tmp_path))).text
    assert "rejects 0 5,000 in the whole output" in text
    assert "whole output 2,000 rows 2 shards, 3.1 MB, 5,000 rejects" in text


def test_rows_that_are_chunks_are_told_with_their_documents(tmp_path):
    text = Reader(report_html(chunked_run(tmp_path))).text
    assert "rows embedded 520 of 5 documents" in text
    assert "rejects 5 50% of the documents read" in text


def test_a_chart_says_in_words_what_it_shows(troubled):
    told = {value for name, value in Reader(report_html(troubled)).attributes if name == "aria-label"}
    assert "rows a second over 11 min 33 s: mean 177, highest 183" in told
    assert "retries of storage a minute over 11 min 33 s: 195 by the workers" in told


def test_workers_of_the_pool_are_not_said_to_have_had_work(tmp_path):
    report = replace(tiny_run(tmp_path), workers=8)
    told = {value for name, value in Reader(report_html(report)).attributes if name == "aria-label"}
    assert any("at most 1 with a unit in hand" in (words or "") for words in told)


def test_charts_without_numbers_are_left_out(tmp_path):
    assert "<figure" not in report_html(instant_run(tmp_path))


def test_documents_of_many_chunks_have_no_longest_and_none_is_cut(tmp_path):
    text = Reader(report_html(pooled_run(tmp_path))).text
    assert "pooling mean, chunks of 128 tokens, float16, one vector a document" in text
    assert "tokens a row, after truncation" not in text
    assert "rows cut" not in text


def test_a_file_that_no_worker_could_read_on_is_shown_once(tmp_path):
    text = Reader(report_html(unread_run(tmp_path))).text
    assert text.count("truncated gzip stream") == 1
    assert "units failed 1 1 file could not be read on" in text


def test_failed_units_and_rejects_are_shown_by_example_and_the_rest_is_counted(troubled):
    text = Reader(report_html(troubled)).text
    assert "and 41 more failures" in text
    assert "3 workers died of it" not in text
    assert "44 × invalid UTF-8" in text
    assert '<img src=x onerror="alert(1)">\\u202e\\x1b[31m\\x00&amp;' in text


def test_rejects_whose_reasons_are_not_told_are_in_the_page_too(tmp_path):
    report = replace(instant_run(tmp_path), rejects=5)
    assert "2 × text is null" in Reader(report_html(report)).text
    assert "and 3 rejects whose reasons only the files tell" in Reader(report_html(report)).text


def test_a_table_of_reasons_has_an_end(tiny):
    reasons = {f"reason {n}": n for n in range(500)}
    failures = (FailedUnit("u", "failed", "m"),) * 9999
    many = replace(tiny, rejects=sum(reasons.values()), reasons=reasons, failures=failures)
    text = Reader(report_html(many)).text
    assert "499 × reason 499" in text
    assert "and 480 more reasons" in text
    assert len(report_html(many)) < 60_000
