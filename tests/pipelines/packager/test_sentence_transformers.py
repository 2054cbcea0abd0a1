"""Sentence-transformers folders bring their pooling, normalisation and length along."""

from pathlib import Path
from typing import Any

import pytest
from small_checkpoints import BERT, write_json, write_sentence_transformers

from pipelines.errors import UsageError
from pipelines.packager.package import read_checkpoint

MEAN = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False}


def refusal(folder: Path) -> str:
    """The one line that refuses the folder."""
    with pytest.raises(UsageError) as refused:
        read_checkpoint(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        (MEAN, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
    ],
)
def test_pooling_comes_along(tmp_path: Path, config: dict[str, Any], pooling: str) -> None:
    assert read_checkpoint(write_sentence_transformers(tmp_path, config)).pooling == pooling


@pytest.mark.parametrize(("steps", "normalize"), [(("Pooling",), False), (("Pooling", "Normalize"), True)])
def test_normalisation_comes_along(tmp_path: Path, steps: tuple[str, ...], normalize: bool) -> None:
    assert read_checkpoint(write_sentence_transformers(tmp_path, MEAN, steps)).normalize is normalize


@pytest.mark.parametrize(
    ("settings", "tokenizer", "max_tokens"),
    [
        ({"max_seq_length": 12}, {"model_max_length": 16}, 12),
        ({"max_seq_length": 512}, {}, BERT["max_position_embeddings"]),
        ({"max_seq_length": None}, {"model_max_length": 16}, 16),
        ({}, {"model_max_length": 10**30}, BERT["max_position_embeddings"]),
    ],
)
def test_length_comes_along(
    tmp_path: Path, settings: dict[str, Any], tokenizer: dict[str, Any], max_tokens: int
) -> None:
    write_sentence_transformers(tmp_path, MEAN)
    write_json(tmp_path / "sentence_bert_config.json", settings)
    write_json(tmp_path / "tokenizer_config.json", tokenizer)
    assert read_checkpoint(tmp_path).max_tokens == max_tokens


def test_the_transformer_may_lie_in_a_folder_of_its_own(tmp_path: Path) -> None:
    write_sentence_transformers(tmp_path / "0_Transformer", MEAN)
    (tmp_path / "0_Transformer" / "1_Pooling").rename(tmp_path / "1_Pooling")
    (tmp_path / "0_Transformer" / "modules.json").unlink()
    kinds = {"0_Transformer": "sentence_transformers.models.Transformer", "1_Pooling": "a.newer.place.Pooling"}
    write_json(tmp_path / "modules.json", [{"path": path, "type": kind} for path, kind in kinds.items()])
    assert read_checkpoint(tmp_path).pooling == "mean"


def test_a_default_prompt_is_noted(tmp_path: Path) -> None:
    write_sentence_transformers(tmp_path, MEAN)
    settings = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    write_json(tmp_path / "config_sentence_transformers.json", settings)
    assert "'query: '" in read_checkpoint(tmp_path).notes[-1]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"pooling_mode_weightedmean_tokens": True}, "weightedmean_tokens"),
        (MEAN | {"pooling_mode_max_tokens": True}, "mean_tokens with max_tokens"),
        ({"pooling_mode": "lasttoken"}, "lasttoken"),
        ({}, "by nothing"),
    ],
)
def test_other_pooling_is_refused(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    message = refusal(write_sentence_transformers(tmp_path, config))
    assert said in message
    assert "not supported" in message


@pytest.mark.parametrize("steps", [("Pooling", "Dense"), ("Pooling", "Dense", "Normalize"), (), ("Pooling", "Pooling")])
def test_other_steps_are_refused(tmp_path: Path, steps: tuple[str, ...]) -> None:
    assert " → ".join(("Transformer", *steps)) in refusal(write_sentence_transformers(tmp_path, MEAN, steps))


def test_lower_casing_before_a_cased_tokenizer_is_refused(tmp_path: Path) -> None:
    write_sentence_transformers(tmp_path, MEAN)
    write_json(tmp_path / "sentence_bert_config.json", {"max_seq_length": 12, "do_lower_case": True})
    write_json(tmp_path / "tokenizer_config.json", {"do_lower_case": False})
    assert "do_lower_case" in refusal(tmp_path)


@pytest.mark.parametrize("modules", [{}, [1], [{"type": "a.Transformer"}], "nothing"])
def test_a_broken_list_of_modules_is_named(tmp_path: Path, modules: Any) -> None:
    write_json(tmp_path / "modules.json", modules)
    assert "modules.json" in refusal(tmp_path)
