"""Reads a TensorFlow 1 checkpoint of google-research/electra: the discriminator, its shapes, its vocabulary.

Names and conventions: https://github.com/google-research/electra, model/modeling.py.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipelines.errors import UsageError
from pipelines.packager.architecture import Architecture, activation_named, read_number
from pipelines.packager.checkpoint import NO_POOLER, Checkpoint, find_vocabulary
from pipelines.packager.json_file import read_json_object
from pipelines.packager.weight_names import TENSORFLOW, gather_weights

PREFIX = "electra/"
HEAD_WIDTH = 64  # every published ELECTRA has heads of this width
CONFIG_FILES = ("config.json", "electra_config.json", "bert_config.json")


def find_electra(path: Path) -> Path | None:
    """The checkpoint's prefix, if `path` is such a prefix or a folder with a TensorFlow checkpoint in it."""
    if Path(f"{path}.index").is_file():
        return path
    if not path.is_dir():
        return None
    latest = tf.train.latest_checkpoint(str(path))
    if latest:
        return Path(latest)
    prefixes = sorted(path.glob("*.index"))
    if len(prefixes) > 1:
        raise UsageError(
            f"{path} holds {len(prefixes)} checkpoints: give one of them, such as {prefixes[0].with_suffix('')}"
        )
    return prefixes[0].with_suffix("") if prefixes else None


def read_electra(prefix: Path) -> Checkpoint:
    """Reads the checkpoint with this prefix. UsageError says in one line what is missing or unsupported."""
    try:
        reader = tf.train.load_checkpoint(str(prefix))
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{prefix} is no readable TensorFlow checkpoint: {reason}") from error
    shapes: dict[str, list[int]] = reader.get_variable_to_shape_map()
    config_path = next((prefix.parent / name for name in CONFIG_FILES if (prefix.parent / name).is_file()), None)
    config = read_json_object(config_path) if config_path else {}
    architecture = _architecture(shapes, config, str(prefix), str(config_path))
    vocab_file = find_vocabulary(prefix.parent, architecture)
    do_lower_case = bool(config.get("do_lower_case", not _is_cased(vocab_file)))
    weights, pooled = gather_weights(architecture, TENSORFLOW, PREFIX, shapes, reader.get_tensor, where=str(prefix))
    notes = () if pooled else (NO_POOLER,)
    return Checkpoint(
        architecture, weights, vocab_file, do_lower_case, "google-research/electra checkpoint", notes=notes
    )


def _architecture(
    shapes: Mapping[str, list[int]], config: Mapping[str, Any], where: str, config_path: str
) -> Architecture:
    """Sizes come from the tensors; only what they do not show is taken from the configuration, if there is one."""

    def shape(name: str) -> list[int]:
        if PREFIX + name not in shapes:
            raise UsageError(f"{where} has no tensor {PREFIX + name!r}: it is no checkpoint of google-research/electra")
        return shapes[PREFIX + name]

    vocabulary, embedding_width = shape("embeddings/word_embeddings")
    width, intermediate = shape("encoder/layer_0/intermediate/dense/kernel")
    layers = {match[1] for name in shapes if (match := re.match(rf"{PREFIX}encoder/layer_(\d+)/", name))}
    if "num_attention_heads" not in config and width % HEAD_WIDTH:
        raise UsageError(f"{where}: a width of {width} does not tell the number of heads; put a config.json beside it")
    sizes = {
        "num_hidden_layers": len(layers),
        "hidden_size": width,
        "intermediate_size": intermediate,
        "embedding_size": embedding_width,
        "vocab_size": vocabulary,
        "max_position_embeddings": shape("embeddings/position_embeddings")[0],
        "type_vocab_size": shape("embeddings/token_type_embeddings")[0],
    }
    for key, size in sizes.items():
        if config.get(key, size) != size:
            raise UsageError(
                f"{config_path}: {key} is {config[key]} where the tensors say {size}: it is of another model"
            )
    return Architecture(
        family="electra",
        layers=sizes["num_hidden_layers"],
        width=width,
        heads=int(read_number(config, "num_attention_heads", config_path, width // HEAD_WIDTH)),
        intermediate=intermediate,
        embedding_width=embedding_width,
        vocabulary=vocabulary,
        positions=sizes["max_position_embeddings"],
        segments=sizes["type_vocab_size"],
        activation=activation_named(config.get("hidden_act", "gelu"), config_path),
        dropout=read_number(config, "hidden_dropout_prob", config_path, 0.1),
        attention_dropout=read_number(config, "attention_probs_dropout_prob", config_path, 0.1),
    )


def _is_cased(vocab_file: Path) -> bool:
    """Whether words with capitals are in the vocabulary; the checkpoint itself does not say how it was trained."""
    tokens = vocab_file.read_text(encoding="utf-8").split("\n")
    return any(re.search("[A-Z]", token) for token in tokens if not token.startswith("["))
