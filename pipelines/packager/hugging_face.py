"""Reads a Hugging Face folder of BERT or ELECTRA: config.json, safetensors, vocab.txt, tokenizer_config.json.

The layout is what `save_pretrained` of transformers writes; https://huggingface.co/docs/safetensors
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from pipelines.errors import UsageError
from pipelines.packager.architecture import Architecture, activation_named, read_number
from pipelines.packager.checkpoint import NO_POOLER, Checkpoint, find_vocabulary
from pipelines.packager.json_file import read_json_object
from pipelines.packager.tokenizer_config import lower_cases
from pipelines.packager.weight_names import HUGGING_FACE, gather_weights

FAMILIES = ("bert", "electra")
FLOATS = ("F32", "F16", "BF16", "F64")
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
FIRST_TENSOR = "embeddings.word_embeddings.weight"


def read_hugging_face(folder: Path) -> Checkpoint:
    """Reads the folder. UsageError says in one line what is missing or unsupported."""
    config_path = folder / "config.json"
    if not config_path.is_file():
        raise UsageError(f"{folder} has no config.json: give the folder of a BERT or ELECTRA checkpoint")
    config = read_json_object(config_path)
    architecture = _architecture(config, str(config_path))
    vocab_file = find_vocabulary(folder, architecture)
    do_lower_case = lower_cases(folder, config)
    files = _tensor_files(folder)
    prefix = _prefix(files, folder)
    weights, pooled = gather_weights(
        architecture, HUGGING_FACE, prefix, files, _tensor_reader(files), where=str(folder)
    )
    notes = () if pooled else (NO_POOLER,)
    return Checkpoint(architecture, weights, vocab_file, do_lower_case, "Hugging Face folder", notes=notes)


def _architecture(config: Mapping[str, Any], where: str) -> Architecture:
    family = config.get("model_type")
    if family not in FAMILIES:
        raise UsageError(f"{where}: model_type {family!r} is not supported; only bert and electra are")
    if config.get("is_decoder") or config.get("add_cross_attention"):
        raise UsageError(f"{where} describes a decoder: only encoders can be packaged")
    positions = config.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise UsageError(f"{where}: position_embedding_type {positions!r} is not supported; only 'absolute' is")

    def count(key: str, default: int | None = None) -> int:
        return int(read_number(config, key, where, default))

    width = count("hidden_size")
    return Architecture(
        family=family,
        layers=count("num_hidden_layers"),
        width=width,
        heads=count("num_attention_heads"),
        intermediate=count("intermediate_size"),
        embedding_width=count("embedding_size", 128) if family == "electra" else width,
        vocabulary=count("vocab_size"),
        positions=count("max_position_embeddings", 512),
        segments=count("type_vocab_size", 2),
        activation=activation_named(config.get("hidden_act", "gelu"), where),
        layer_norm_epsilon=read_number(config, "layer_norm_eps", where, 1e-12),
        dropout=read_number(config, "hidden_dropout_prob", where, 0.1),
        attention_dropout=read_number(config, "attention_probs_dropout_prob", where, 0.1),
    )


def _tensor_files(folder: Path) -> dict[str, Path]:
    """Which file holds each tensor: the one weights file, or the shards that the index names."""
    single, index = folder / WEIGHTS_FILE, folder / INDEX_FILE
    if single.is_file():
        return dict.fromkeys(_open(single).keys(), single)
    if index.is_file():
        placed = read_json_object(index).get("weight_map")
        if not isinstance(placed, dict):
            raise UsageError(f"{index} has no weight_map: download the checkpoint again")
        # Path(...).name: the index may only name files beside it.
        return {name: folder / Path(str(file)).name for name, file in placed.items()}
    if any(folder.glob("pytorch_model*.bin")):
        raise UsageError(
            f"{folder} has its weights only as pytorch_model.bin, which is not read because loading it can run code:"
            " convert it to model.safetensors (save_pretrained with safe_serialization)"
        )
    raise UsageError(f"{folder} has no {WEIGHTS_FILE}: give the folder of a checkpoint with its weights")


def _tensor_reader(files: Mapping[str, Path]) -> Callable[[str], np.ndarray]:
    opened = {path: _open(path) for path in set(files.values())}

    def read(name: str) -> np.ndarray:
        path = files[name]
        try:
            dtype = opened[path].get_slice(name).get_dtype()
            if dtype not in FLOATS:
                raise UsageError(f"{path}: tensor {name!r} is {dtype}; one of {', '.join(FLOATS)} is needed")
            return opened[path].get_tensor(name)
        except SafetensorError as error:
            raise UsageError(f"{path}: tensor {name!r} cannot be read ({error}): download the file again") from error

    return read


def _open(path: Path) -> Any:
    try:
        return safe_open(str(path), framework="numpy")
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path} is no readable safetensors file ({error}): download it again") from error


def _prefix(names: Mapping[str, Path], folder: Path) -> str:
    """What stands before the encoder's names: nothing, "bert.", "electra."."""
    for prefix in ("", *(f"{family}." for family in FAMILIES)):
        if prefix + FIRST_TENSOR in names:
            return prefix
    raise UsageError(f"{folder} has no tensor {FIRST_TENSOR!r}, with or without bert. or electra. before it")
