"""Spans: words and marks with their places, in the order of the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.encoder.spans import WHITESPACE, between_whitespace, words_and_marks

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def pieces(cut, text):
    starts, ends = cut(text)
    return [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        (" \t\r\n\f", []),
        ("the zip", ["the", "zip"]),
        (" don't\n", ["don", "'", "t"]),
        ("a--b", ["a", "-", "-", "b"]),
        ("«né»…", ["«", "né", "»", "…"]),
        ("日本x語", ["日", "本", "x", "語"]),
        ("カタカナ", ["カタカナ"]),
        ("no\u00a0break", ["no\u00a0break"]),
        ("e\u0301a\u200bb", ["e\u0301a\u200bb"]),
        ("🙂👍 $5", ["🙂👍", "$", "5"]),
    ],
)
def test_words_and_marks(text, spans):
    assert pieces(words_and_marks, text) == spans


def test_between_whitespace_nothing_is_cut():
    assert pieces(between_whitespace, " it's\t日本 ok\n") == ["it's", "日本", "ok"]


@pytest.mark.parametrize("cut", [words_and_marks, between_whitespace])
@given(TEXT)
def test_spans_are_all_of_the_text_but_whitespace(cut, text):
    assert "".join(pieces(cut, text)) == "".join(character for character in text if character not in WHITESPACE)
