"""Hugging Face folders of BERT and ELECTRA in all their spellings, and what is refused about them."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file
from small_checkpoints import (
    BERT,
    ELECTRA,
    VOCABULARY,
    random_tensors,
    write_hugging_face,
    write_json,
    write_vocabulary,
)

from pipelines.errors import UsageError
from pipelines.packager.hugging_face import read_hugging_face
from pipelines.packager.weight_names import HUGGING_FACE

Tensors = dict[str, np.ndarray]


@pytest.fixture
def tensors() -> Tensors:
    return random_tensors(BERT)


def assert_read(folder: Path, tensors: Tensors, tolerance: float = 0) -> None:
    for name, weight in read_hugging_face(folder).weights.items():
        stored = tensors[HUGGING_FACE.spellings(name)[0]]
        np.testing.assert_allclose(weight, stored.T if name.endswith("/kernel") else stored, rtol=tolerance)
        assert weight.dtype == np.float32


def refusal(folder: Path) -> str:
    """The one line that refuses the folder."""
    with pytest.raises(UsageError) as refused:
        read_hugging_face(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("prefix", ["", "bert.", "electra."])
def test_names_may_have_a_prefix(tmp_path: Path, tensors: Tensors, prefix: str) -> None:
    write_hugging_face(tmp_path, BERT, {prefix + name: value for name, value in tensors.items()})
    assert_read(tmp_path, tensors)


def test_other_tensors_are_ignored(tmp_path: Path, tensors: Tensors) -> None:
    others = {"cls.predictions.bias": np.zeros(30, np.float32), "embeddings.position_ids": np.arange(20)}
    write_hugging_face(tmp_path, BERT, tensors | others)
    assert_read(tmp_path, tensors)


def test_layer_norms_may_have_their_old_names(tmp_path: Path, tensors: Tensors) -> None:
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in tensors.items()
    }
    write_hugging_face(tmp_path, BERT, old)
    assert_read(tmp_path, tensors)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 2e-3), (ml_dtypes.bfloat16, 1e-2), (np.float64, 0)])
def test_weights_may_be_stored_in_other_precisions(
    tmp_path: Path, tensors: Tensors, dtype: Any, tolerance: float
) -> None:
    write_hugging_face(tmp_path, BERT, {name: value.astype(dtype) for name, value in tensors.items()})
    assert_read(tmp_path, tensors, tolerance)


def test_weights_may_be_cut_into_shards(tmp_path: Path, tensors: Tensors) -> None:
    write_hugging_face(tmp_path, BERT, {})
    (tmp_path / "model.safetensors").unlink()
    names, weight_map = sorted(tensors), {}
    for shard, part in enumerate((names[::2], names[1::2])):
        file = f"model-{shard}.safetensors"
        save_file({name: np.ascontiguousarray(tensors[name]) for name in part}, tmp_path / file)
        weight_map |= dict.fromkeys(part, file)
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": weight_map})
    assert_read(tmp_path, tensors)


@pytest.mark.parametrize("config", [BERT, ELECTRA], ids=["bert", "electra"])
def test_without_a_pooler_it_is_the_identity_and_a_note_says_so(tmp_path: Path, config: dict[str, Any]) -> None:
    tensors = {name: value for name, value in random_tensors(config).items() if not name.startswith("pooler")}
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, config, tensors))
    np.testing.assert_array_equal(checkpoint.weights["pooler_transform/kernel"], np.eye(config["hidden_size"]))
    assert not checkpoint.weights["pooler_transform/bias"].any()
    assert "no pooler" in checkpoint.notes[0]


@pytest.mark.parametrize(
    ("tokenizer", "lower_case"), [({}, True), ({"do_lower_case": True}, True), ({"do_lower_case": False}, False)]
)
def test_lower_casing_follows_the_tokenizer(
    tmp_path: Path, tensors: Tensors, tokenizer: dict[str, bool], lower_case: bool
) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    write_json(tmp_path / "tokenizer_config.json", tokenizer)
    assert read_hugging_face(tmp_path).do_lower_case is lower_case


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "t5"}, "model_type 't5'"),
        ({"model_type": None}, "model_type None"),
        ({"is_decoder": True}, "decoder"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"hidden_act": "silu"}, "hidden_act 'silu'"),
        ({"hidden_size": None}, "lacks 'hidden_size'"),
        ({"hidden_size": "24"}, "'hidden_size' is '24'"),
        ({"num_attention_heads": 5}, "divided among 5 attention heads"),
        ({"num_hidden_layers": 0}, "layers is 0"),
        ({"num_hidden_layers": 3}, "'encoder.layer.2.attention.self.query.weight'"),
        ({"intermediate_size": 41}, "'encoder.layer.0.intermediate.dense.weight' has shape [40, 24]"),
        ({"vocab_size": 29}, "'embeddings.word_embeddings.weight' has shape [30, 24]"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    tmp_path: Path, tensors: Tensors, change: dict[str, Any], said: str
) -> None:
    assert said in refusal(write_hugging_face(tmp_path, BERT | change, tensors))


@pytest.mark.parametrize(
    "change",
    [
        {"strip_accents": False},
        {"do_lower_case": False, "strip_accents": True},
        {"tokenize_chinese_chars": False},
        {"tokenizer_class": "BertJapaneseTokenizer"},
        {"tokenizer_class": "XLMRobertaTokenizerFast"},
        {"tokenizer_class": 7},
        {"word_tokenizer_type": "mecab"},
        {"subword_tokenizer_type": "character"},
        {"do_basic_tokenize": False},
        {"do_word_tokenize": False},
        {"do_subword_tokenize": False},
        {"never_split": ["[ENTITY]"]},
        {"cls_token": "<s>"},
        {"sep_token": {"content": "</s>"}},
    ],
)
@pytest.mark.parametrize("file", ["tokenizer_config.json", "config.json"])
def test_a_tokenizer_that_cannot_be_reproduced_is_refused_by_file_and_setting(
    tmp_path: Path, tensors: Tensors, change: dict[str, Any], file: str
) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    # Accents and case are the tokenizer's alone.
    path = tmp_path / ("tokenizer_config.json" if "strip_accents" in change else file)
    write_json(path, json.loads(path.read_bytes()) | change)
    message = refusal(tmp_path)
    assert message.startswith(f"{path}: {list(change)[-1]} ")
    assert "BERT's preprocessor cannot do" in message


@pytest.mark.parametrize(
    "settings",
    [
        {"tokenizer_class": "BertTokenizer", "never_split": None, "strip_accents": None, "do_basic_tokenize": True},
        {"tokenizer_class": "ElectraTokenizerFast", "tokenize_chinese_chars": True, "never_split": []},
        {"word_tokenizer_type": "basic", "subword_tokenizer_type": "wordpiece", "tokenizer_class": None},
        {"cls_token": {"content": "[CLS]", "lstrip": False}, "sep_token": "[SEP]", "unk_token": "[UNK]"},
    ],
)
def test_a_tokenizer_that_does_as_berts_is_read(tmp_path: Path, tensors: Tensors, settings: dict[str, Any]) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    write_json(tmp_path / "tokenizer_config.json", settings)
    assert read_hugging_face(tmp_path).do_lower_case is True


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    assert "no config.json" in refusal(tmp_path)


def test_a_broken_configuration_is_named(tmp_path: Path, tensors: Tensors) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    (tmp_path / "config.json").write_text("{")
    assert "config.json cannot be read as JSON" in refusal(tmp_path)


def test_a_missing_vocabulary_is_named(tmp_path: Path, tensors: Tensors) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    (tmp_path / "vocab.txt").unlink()
    assert "no vocab.txt" in refusal(tmp_path)


def test_a_vocabulary_larger_than_the_embeddings_is_refused(tmp_path: Path, tensors: Tensors) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    write_vocabulary(tmp_path, [*VOCABULARY, *(f"word{number}" for number in range(10))])
    assert "has 34 tokens but the embedding table only 30 rows" in refusal(tmp_path)


def test_pickled_weights_are_refused_with_what_to_do(tmp_path: Path, tensors: Tensors) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert "convert it to model.safetensors" in refusal(tmp_path)


def test_missing_weights_are_named(tmp_path: Path, tensors: Tensors) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    (tmp_path / "model.safetensors").unlink()
    assert "no model.safetensors" in refusal(tmp_path)


def test_a_truncated_weights_file_is_named(tmp_path: Path, tensors: Tensors) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "model.safetensors is no readable safetensors file" in refusal(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path, tensors: Tensors) -> None:
    write_hugging_face(tmp_path, BERT, tensors)
    (tmp_path / "model.safetensors").unlink()
    weight_map = dict.fromkeys(tensors, "model-1.safetensors")
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": weight_map})
    assert "model-1.safetensors" in refusal(tmp_path)


def test_quantised_weights_are_refused(tmp_path: Path, tensors: Tensors) -> None:
    name = "encoder.layer.1.output.dense.weight"
    write_hugging_face(tmp_path, BERT, tensors | {name: tensors[name].astype(np.int8)})
    assert f"tensor {name!r} is I8" in refusal(tmp_path)


def test_weights_of_another_kind_of_model_are_refused(tmp_path: Path) -> None:
    write_hugging_face(tmp_path, BERT, {"decoder.weight": np.zeros(3, np.float32)})
    assert "no tensor 'embeddings.word_embeddings.weight'" in refusal(tmp_path)
