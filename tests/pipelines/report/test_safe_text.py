"""Whatever strangers wrote is text of the page, of a bounded length, and nothing else."""

import html
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.safe_text import escaped, shown

# With lone surrogates, controls, marks of direction and everything else.
TEXTS = st.text(st.characters(codec=None), max_size=400)


@given(TEXTS)
def test_no_text_is_markup(text):
    assert not set(escaped(text)) & set("<>\"'")
    assert "&" not in html.unescape(escaped(text).replace("&amp;", ""))


@given(TEXTS)
def test_every_text_can_be_written_as_utf_8_and_holds_nothing_invisible(text):
    left = html.unescape(escaped(text).encode().decode())
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in left if c not in "\u200c\u200d")


@given(TEXTS, st.integers(1, 50))
def test_no_text_is_longer_than_asked_for(text, most):
    assert len(html.unescape(escaped(text, most))) <= most * len("\\U0010ffff")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=300))
def test_an_ordinary_text_is_told_as_it_is(text):
    assert html.unescape(escaped(text)) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
        ("\u2028", r"\u2028"),
        ("نیم\u200cفاصله", "نیم\u200cفاصله"),
        ("<b>&", "&lt;b&gt;&amp;"),
    ],
)
def test_what_cannot_be_seen_is_told_by_its_number(text, told):
    assert escaped(text) == told


def test_a_long_text_is_cut_where_it_says_so():
    assert escaped("x" * 1000, most=10) == "x" * 9 + "…"


def test_the_direction_of_writing_stays_inside():
    assert shown("שלום") == "<bdi>שלום</bdi>"
