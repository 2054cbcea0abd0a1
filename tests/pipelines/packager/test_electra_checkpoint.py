"""TensorFlow 1 checkpoints of google-research/electra, and what is refused about them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_checkpoints import ELECTRA, VOCABULARY, random_tensors, write_electra, write_json, write_vocabulary

from pipelines.errors import UsageError
from pipelines.packager.package import read_checkpoint

TENSORS = random_tensors(ELECTRA, seed=1)


def refusal(path: Path) -> str:
    """The one line that refuses the checkpoint."""
    with pytest.raises(UsageError) as refused:
        read_checkpoint(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_architecture_is_derived_from_the_shapes(tmp_path: Path) -> None:
    architecture = read_checkpoint(write_electra(tmp_path, TENSORS)).architecture
    assert (architecture.layers, architecture.width, architecture.heads) == (2, 128, 2)
    assert (architecture.embedding_width, architecture.intermediate) == (16, 40)
    assert (architecture.vocabulary, architecture.positions, architecture.segments) == (30, 20, 2)
    assert architecture.activation == "gelu"


def test_a_configuration_beside_it_says_what_the_shapes_do_not(tmp_path: Path) -> None:
    prefix = write_electra(tmp_path, TENSORS)
    write_json(tmp_path / "config.json", {"num_attention_heads": 4, "hidden_act": "gelu_new", "do_lower_case": False})
    checkpoint = read_checkpoint(prefix)
    assert (checkpoint.architecture.heads, checkpoint.architecture.activation) == (4, "gelu_tanh")
    assert checkpoint.do_lower_case is False


def test_a_configuration_that_contradicts_the_shapes_is_refused(tmp_path: Path) -> None:
    prefix = write_electra(tmp_path, TENSORS)
    write_json(tmp_path / "config.json", ELECTRA | {"intermediate_size": 64})
    assert "intermediate_size is 64 where the tensors say 40" in refusal(prefix)


def test_folder_and_prefix_are_the_same_checkpoint(tmp_path: Path) -> None:
    prefix = write_electra(tmp_path, TENSORS)
    for weight, other in zip(
        read_checkpoint(prefix).weights.values(), read_checkpoint(tmp_path).weights.values(), strict=True
    ):
        np.testing.assert_array_equal(weight, other)


def test_a_folder_without_its_checkpoint_file_will_do(tmp_path: Path) -> None:
    write_electra(tmp_path, TENSORS)
    (tmp_path / "checkpoint").unlink()
    assert read_checkpoint(tmp_path).architecture.layers == 2


def test_the_pooler_is_the_identity(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_electra(tmp_path, TENSORS))
    np.testing.assert_array_equal(checkpoint.weights["pooler_transform/kernel"], np.eye(128))


@pytest.mark.parametrize(("tokens", "lower_case"), [(VOCABULARY, True), ([*VOCABULARY, "Berlin"], False)])
def test_capitals_in_the_vocabulary_mean_a_cased_model(tmp_path: Path, tokens: list[str], lower_case: bool) -> None:
    prefix = write_electra(tmp_path, TENSORS)
    write_vocabulary(tmp_path, tokens)
    assert read_checkpoint(prefix).do_lower_case is lower_case


def test_several_checkpoints_in_a_folder_need_a_choice(tmp_path: Path) -> None:
    prefix = write_electra(tmp_path, TENSORS)
    (tmp_path / "checkpoint").unlink()
    prefix.with_name("other.index").write_bytes(b"")
    assert "holds 2 checkpoints" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("embeddings.word_embeddings.weight", "'electra/embeddings/word_embeddings'"),
        ("encoder.layer.1.attention.self.key.bias", "'electra/encoder/layer_1/attention/self/key/bias'"),
    ],
)
def test_a_missing_tensor_is_named(tmp_path: Path, name: str, said: str) -> None:
    tensors: dict[str, Any] = {other: value for other, value in TENSORS.items() if other != name}
    assert f"has no tensor {said}" in refusal(write_electra(tmp_path, tensors))


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    name = "encoder.layer.1.intermediate.dense.bias"
    prefix = write_electra(tmp_path, TENSORS | {name: np.zeros(7, np.float32)})
    assert "'electra/encoder/layer_1/intermediate/dense/bias' has shape [7]" in refusal(prefix)


def test_a_missing_vocabulary_is_named(tmp_path: Path) -> None:
    prefix = write_electra(tmp_path, TENSORS)
    (tmp_path / "vocab.txt").unlink()
    assert "no vocab.txt" in refusal(prefix)


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    prefix = write_electra(tmp_path, TENSORS)
    prefix.with_name(prefix.name + ".index").write_bytes(b"nothing")
    assert "is no readable TensorFlow checkpoint" in refusal(prefix)
