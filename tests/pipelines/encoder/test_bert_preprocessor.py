"""The preprocessor gives the ids that the published preprocessors give, for any text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.encoder.bert_preprocessor import BertPreprocessor
from pipelines.errors import UsageError

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "un", "##aff", "##able", "cafe", "café", "Cafe"),
    *(",", "!", "日", "本", "a", "##b", "##a"),
]
PUBLISHED = Path(__file__).parents[4] / "shared" / "models" / "preprocess"


@pytest.fixture(scope="session")
def vocab_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("".join(token + "\n" for token in VOCABULARY), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def lower(vocab_file: str) -> BertPreprocessor:
    return BertPreprocessor(vocab_file, do_lower_case=True)


@pytest.fixture(scope="session")
def cased(vocab_file: str) -> BertPreprocessor:
    return BertPreprocessor(vocab_file, do_lower_case=False)


def words(preprocessor: BertPreprocessor, text: str) -> list[list[str]]:
    """The pieces of each word."""
    ids: Any = preprocessor.tokenize(tf.constant([text])).to_list()[0]
    return [[VOCABULARY[id_] for id_ in pieces] for pieces in ids]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n\u3000", []),
        ("\u200b\ufeff\x01", []),
        ("the THE", [["the"], ["the"]]),
        ("unaffable!", [["un", "##aff", "##able"], ["!"]]),
        ("unaffected", [["[UNK]"]]),
        ("Café cafe\u0301", [["cafe"], ["cafe"]]),
        ("日本the", [["日"], ["本"], ["the"]]),
        ("the,the", [["the"], [","], ["the"]]),
        ("👩‍👩‍👧", [["[UNK]"]]),
        ("a" + "b" * 99, [["a", *["##b"] * 99]]),
        ("a" + "b" * 100, [["[UNK]"]]),
        ("[MASK]", [["[UNK]"], ["[UNK]"], ["[UNK]"]]),
    ],
)
def test_words_and_pieces_of_lower_cased_texts(lower: BertPreprocessor, text: str, expected: list[list[str]]) -> None:
    assert words(lower, text) == expected


def test_case_and_accents_stay_where_they_matter(cased: BertPreprocessor) -> None:
    assert words(cased, "Cafe café THE") == [["Cafe"], ["café"], ["[UNK]"]]


def test_texts_are_packed_to_128_tokens(lower: BertPreprocessor) -> None:
    packed = lower(tf.constant(["the cafe", "the " * 300]))
    ids, mask = packed["input_word_ids"].numpy(), packed["input_mask"].numpy()
    assert ids[0, :5].tolist() == [2, 5, 9, 3, 0]
    assert ids[1].tolist() == [2, *[5] * 126, 3]
    assert mask.sum(axis=1).tolist() == [4, 128]
    assert not packed["input_type_ids"].numpy().any()
    assert all(values.dtype == tf.int32 and values.shape == (2, 128) for values in packed.values())


def test_segments_are_cut_round_robin(lower: BertPreprocessor) -> None:
    segments = [lower.tokenize(tf.constant([text])) for text in ("the the the the", "a", "cafe cafe cafe")]
    packed = lower.bert_pack_inputs(segments, seq_length=9)
    assert packed["input_word_ids"].numpy().tolist() == [[2, 5, 5, 3, 16, 3, 9, 9, 3]]
    assert packed["input_type_ids"].numpy().tolist() == [[0, 0, 0, 0, 1, 1, 2, 2, 2]]


def test_flat_segments_pack_like_words(lower: BertPreprocessor) -> None:
    tokens = lower.tokenize(tf.constant(["unaffable cafe", ""]))
    for name, values in lower.bert_pack_inputs([tokens], seq_length=tf.constant(5)).items():
        flat = lower.bert_pack_inputs([tokens.merge_dims(1, 2)], seq_length=tf.constant(5))
        np.testing.assert_array_equal(values, flat[name])


def test_special_tokens_are_told(lower: BertPreprocessor) -> None:
    special = {name: int(id_) for name, id_ in lower.tokenize.get_special_tokens_dict().items()}
    expected = {"padding_id": 0, "start_of_sequence_id": 2, "end_of_segment_id": 3, "mask_id": 4}
    assert special == expected | {"vocab_size": len(VOCABULARY)}


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (VOCABULARY[2:], r"lacks \[PAD\], \[UNK\]"),
        ([*VOCABULARY, "the"], "not a usable vocabulary"),
        ([], "usable|lacks"),
    ],
)
def test_an_unusable_vocabulary_is_refused(tmp_path: Path, tokens: list[str], said: str) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("".join(token + "\n" for token in tokens), encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        BertPreprocessor(str(path), do_lower_case=True)


if PUBLISHED.is_dir():

    @pytest.fixture(scope="session")
    def both() -> tuple[Any, BertPreprocessor]:
        """The published preprocessor, and ours of its vocabulary."""
        vocab_file = str(PUBLISHED / "assets" / "vocab.txt")
        return tf.saved_model.load(str(PUBLISHED)), BertPreprocessor(vocab_file, do_lower_case=True)

    hostile = st.sampled_from(
        ["\0", "\u202e", "e\u0301", "👩‍👩‍👧", "\ufffd", "##s", "[SEP]", "İ", "ß", "\u0300" * 50, "x" * 101]
    )
    texts = st.lists(st.one_of(st.text(), st.lists(hostile).map("".join), st.from_regex(r"[\w ,.!]{,80}")), max_size=8)

    @settings(max_examples=40, deadline=None)
    @given(texts=texts, first=st.integers(1, 20), second=st.integers(1, 20))
    @example(texts=["word" * 250_000, "a b " * 5_000], first=9, second=64)
    def test_any_text_gives_the_ids_of_the_published_preprocessor(
        both: tuple[Any, BertPreprocessor], texts: list[str], first: int, second: int
    ) -> None:
        sentences = tf.constant(texts, tf.string)
        published, ours = (each.tokenize(sentences) for each in both)
        assert ours.to_list() == published.to_list()
        for pack in (
            lambda each, tokens: each.bert_pack_inputs([tokens], seq_length=tf.constant(first)),
            lambda each, tokens: each.bert_pack_inputs([tokens, tokens[::-1]], seq_length=tf.constant(second)),
        ):
            expected, given_by_ours = pack(both[0], published), pack(both[1], ours)
            for name, values in expected.items():
                np.testing.assert_array_equal(given_by_ours[name], values)
