"""Which characters each token is of: the tokens are the whole text's own, whatever the text and the tokeniser."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.encoder import placed_tokens as module
from pipelines.encoder.bert_preprocessor import BertPreprocessor
from pipelines.encoder.chunk_bounds import chunk_bounds
from pipelines.encoder.placed_tokens import SPAN_CUTS, PlacedTokens, parts_of, placed_tokens
from pipelines.encoder.preprocessor_graphs import PreprocessorGraphs
from pipelines.encoder.tokenizer import Tokenizer

NASTY = [
    "[CLS]", "[MASK]", "[unused1]", "##s", "x" * 101, "read" * 30, "don't", "a,b", "--", "$5", "\r\n", "\t", " ",
    "e\u0301", "\u0301", "\u0338", "=\u0338", "İ", "ß", "ﬁ", "…", "‼\ufe0f", "½", "㍿", "\ufdfa", "＝", "\u200d",
    "\u200b", "\u00ad", "\ufeff", "\u2028", "\u0085", "\x00", "\x0b", "\x1c", "\u00a0", "\u3000", "\u202eabc",
    "🙂👩\u200d👩\u200d👧", "שלום", "العربية", "日本語", "カタカナ", "한국어", "ไทย", "the", "zip", "file",
]  # fmt: skip
CHARACTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TEXTS = st.lists(st.one_of(st.sampled_from(NASTY), CHARACTERS), max_size=25).map("".join)


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def tokenizer(request, tiny_model):
    vocabulary = next((tiny_model / "preprocess" / "assets").iterdir())
    return Tokenizer(PreprocessorGraphs(BertPreprocessor(str(vocabulary), request.param), 16, "the tests' own"), 16)


def ids_of(tokenizer, text: str) -> list[int]:
    return tokenizer.token_ids([text])[0].tolist()


@settings(deadline=None, max_examples=300)
@given(texts=st.lists(TEXTS, max_size=5))
def test_the_tokens_are_those_of_the_whole_text_and_each_span_has_its_own(tokenizer, texts):
    for text, placed in zip(texts, placed_tokens(texts, tokenizer.token_ids), strict=True):
        assert placed.ids.tolist() == ids_of(tokenizer, text)
        spans = [text[start:end] for start, end in zip(placed.start, placed.end, strict=True)]
        assert [ids_of(tokenizer, span) for span in spans] == [part.tolist() for part in split(placed)]


@settings(deadline=None, max_examples=300)
@given(text=TEXTS)
def test_a_bert_tokenizer_joins_nothing_over_the_ends_of_spans(tokenizer, text):
    (placed,) = placed_tokens([text], tokenizer.token_ids)
    assert [placed.start.tolist(), placed.end.tolist()] == [ends.tolist() for ends in SPAN_CUTS[0](text)]


@settings(deadline=None, max_examples=100)
@given(text=TEXTS, most=st.integers(1, 12))
def test_a_long_document_has_the_same_tokens_in_the_same_places(tokenizer, text, most):
    (whole,) = placed_tokens([text], tokenizer.token_ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PART_CHARACTERS", most)
        (parted,) = placed_tokens([text], tokenizer.token_ids)
    for name in ("ids", "start", "end", "tokens"):
        assert getattr(parted, name).tolist() == getattr(whole, name).tolist()


@given(text=TEXTS, most=st.integers(1, 12))
def test_parts_are_all_of_a_text_and_longer_than_the_bound_only_for_one_word(text, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PART_CHARACTERS", most)
        parts = parts_of(text)
    assert "".join(parts) == text
    assert all(len(part) <= most or len(SPAN_CUTS[0](part[:most])[0]) <= 1 for part in parts)


# Other tokenisers, which follow other rules.


def pieces_after_spaces(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Like SentencePiece: a word's first piece is another one than in its middle, and marks are parts of words."""
    words = [[f"_{word}"[place : place + 2] for word in text.split() for place in range(0, len(word) + 1, 2)]
             for text in texts]  # fmt: skip
    return as_ids(words)


def pairs_of_characters(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """One that cares for no word at all."""
    return as_ids([[text[place : place + 2] for place in range(0, len(text), 2)] for text in texts])


def as_ids(pieces: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    ids = [int.from_bytes(piece.encode("utf-32-le")[:3], "little") for some in pieces for piece in some]
    return np.array(ids, np.int32), np.array([len(some) for some in pieces], np.int32)


def split(placed) -> list[np.ndarray]:
    return np.split(placed.ids, np.cumsum(placed.tokens))[:-1]


def test_where_marks_are_parts_of_words_spans_end_at_whitespace_only():
    text = "it's a well-known fact."
    (placed,) = placed_tokens([text], pieces_after_spaces)
    spans = [text[start:end] for start, end in zip(placed.start, placed.end, strict=True)]
    assert spans == ["it's", "a", "well-known", "fact."]


def test_where_nothing_ends_a_token_the_text_is_one_span():
    text = "a bc de f."
    (placed,) = placed_tokens([text], pairs_of_characters)
    assert (placed.start.tolist(), placed.end.tolist(), placed.tokens.tolist()) == ([0], [10], [5])


@given(texts=st.lists(TEXTS, max_size=5))
@pytest.mark.parametrize("token_ids", [pieces_after_spaces, pairs_of_characters])
def test_the_tokens_are_those_of_the_whole_text_for_every_tokenizer(token_ids, texts):
    for text, placed in zip(texts, placed_tokens(texts, token_ids), strict=True):
        assert placed.ids.tolist() == token_ids([text])[0].tolist()
        assert placed.tokens.sum() == len(placed.ids)


@given(characters=st.integers(1, 3000), tokens=st.integers(1, 3000), room=st.integers(1, 50), part=st.floats(0, 0.9))
def test_chunks_of_one_endless_span_cover_it_and_each_has_its_share(characters, tokens, room, part):
    placed = PlacedTokens(np.zeros(tokens, np.int32), *(np.array([n], np.int32) for n in (7, 7 + characters, tokens)))
    bounds = chunk_bounds(placed.tokens, room, int(room * part))
    start, end = placed.characters(bounds)
    assert (start[0], end[-1]) == (7, 7 + characters)
    assert np.all(start[1:] <= end[:-1])
    assert np.all(np.diff(start) >= 0) and np.all(np.diff(end) >= 0)
    share = np.ceil((bounds[:, 1] - bounds[:, 0]) * characters / tokens)
    assert np.all(end - start <= share + 1)
    assert np.all(end > start)


def test_tokens_of_whole_spans_cover_the_spans():
    (placed,) = placed_tokens(["it's a well-known fact."], pieces_after_spaces)
    ends = np.cumsum(placed.tokens)
    start, end = placed.characters(np.stack([[0, *ends[:-1]], ends], axis=1))
    assert (start.tolist(), end.tolist()) == (placed.start.tolist(), placed.end.tolist())
