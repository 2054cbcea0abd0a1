"""Texts become tokens; what is no text, and what is no preprocessor, is told by its name or number."""

from typing import Any

import pytest
import tensorflow as tf

from pipelines.encoder import text_encoder
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.encoder.tokenizer import UnencodableTextError
from pipelines.errors import ModelError, UsageError
from tests.pipelines.encoder.fake_encoders import save_plain
from tests.tiny_model import POSITIONS


@pytest.fixture(scope="module")
def encoder(tiny_model):
    return TextEncoder.load(EncoderSpec(str(tiny_model), max_tokens=POSITIONS))


def test_tokens_tell_lengths_and_what_was_cut(encoder):
    tokens = encoder.tokenize(["the zip", "the " * 100, ""])
    assert tokens.lengths.tolist() == [4, POSITIONS, 2]
    assert tokens.truncated.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ("abc", "one text, 'abc', where a list of texts is needed"),
        (b"abc", "where a list of texts is needed"),
        (["a", None], "text 1: it is of type NoneType and not a str"),
        (["a", "b", b"c"], "text 2: it is of type bytes and not a str"),
        ([["a"]], "text 0: it is of type list and not a str"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(encoder, texts, told):
    with pytest.raises(UsageError, match=told):
        encoder.encode(texts)


def test_a_lone_surrogate_is_refused(encoder):
    with pytest.raises(UnencodableTextError, match=r"text 1: not valid Unicode: a lone surrogate \(U\+D800\)"):
        encoder.encode(["fine", "broken \ud800"])


@pytest.mark.parametrize(("bad", "error"), [(None, UsageError), ("\ud800", UnencodableTextError)])
def test_a_text_has_the_same_number_however_many_come_before_it(encoder, monkeypatch, bad, error):
    monkeypatch.setattr(text_encoder, "WINDOW_TEXTS", 3)
    with pytest.raises(error, match=r"^text 7: "):
        encoder.encode(["fine"] * 7 + [bad])


def test_an_encoder_without_a_vocabulary_needs_a_preprocessor(tmp_path):
    model = save_plain(tmp_path / "model")
    with pytest.raises(ModelError, match=f"^model {model}: it carries no vocabulary: name .* with --preprocessor$"):
        TextEncoder.load(EncoderSpec(str(model)))


def test_a_preprocessor_that_is_none_is_told_by_option_and_handle(tiny_model, tmp_path):
    other = save_plain(tmp_path / "model")
    told = f"^--preprocessor {other}: not a companion preprocessor of the encoder API: it has no `tokenize`$"
    with pytest.raises(ModelError, match=told):
        TextEncoder.load(EncoderSpec(str(tiny_model), str(other)))


def test_a_preprocessor_that_fails_on_a_text_is_told_by_option_and_handle(tiny_model, tmp_path):
    module: Any = tf.Module()
    module.tokenize = tf.function(tf.strings.length, input_signature=[tf.TensorSpec([None], tf.string)])
    module.bert_pack_inputs = tf.function(lambda given: given, input_signature=[tf.TensorSpec([None], tf.int32)])
    tf.saved_model.save(module, str(tmp_path / "model"))
    with pytest.raises(ModelError, match=f"^--preprocessor {tmp_path}/model: .*: it fails on a text: "):
        TextEncoder.load(EncoderSpec(str(tiny_model), str(tmp_path / "model")))
