"""Writes small checkpoints with random weights, in the formats that the packager reads."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "cat", "dog", "##s", "sat", "##ting", "on", "mat"),
    *(".", ",", "!", "hello", "world", "un", "##aff", "##able", "cafe", "日"),
]

BERT: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "vocab_size": 30,
    "max_position_embeddings": 20,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.2,
    "attention_probs_dropout_prob": 0.1,
}
ELECTRA = BERT | {"model_type": "electra", "hidden_size": 128, "num_attention_heads": 2, "embedding_size": 16}


def random_tensors(config: Mapping[str, Any], seed: int = 0) -> dict[str, np.ndarray]:
    """float32 weights under Hugging Face names without prefix; a BERT has a pooler, an ELECTRA has none."""
    random = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}

    def dense(name: str, inputs: int, outputs: int) -> None:
        tensors[f"{name}.weight"] = random.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
        tensors[f"{name}.bias"] = random.normal(0, 0.3, outputs).astype(np.float32)

    def layer_norm(name: str, width: int) -> None:
        tensors[f"{name}.weight"] = random.normal(1, 0.2, width).astype(np.float32)
        tensors[f"{name}.bias"] = random.normal(0, 0.2, width).astype(np.float32)

    width, intermediate = config["hidden_size"], config["intermediate_size"]
    embedding_width = config.get("embedding_size", width)
    rows = {
        "word_embeddings": config["vocab_size"],
        "position_embeddings": config["max_position_embeddings"],
        "token_type_embeddings": config["type_vocab_size"],
    }
    for table, count in rows.items():
        tensors[f"embeddings.{table}.weight"] = random.normal(0, 1, (count, embedding_width)).astype(np.float32)
    layer_norm("embeddings.LayerNorm", embedding_width)
    if embedding_width != width:
        dense("embeddings_project", embedding_width, width)
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            dense(f"{name}.attention.{part}", width, width)
        layer_norm(f"{name}.attention.output.LayerNorm", width)
        dense(f"{name}.intermediate.dense", width, intermediate)
        dense(f"{name}.output.dense", intermediate, width)
        layer_norm(f"{name}.output.LayerNorm", width)
    if config["model_type"] == "bert":
        dense("pooler.dense", width, width)
    return tensors


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_vocabulary(folder: Path, tokens: list[str] = VOCABULARY) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in tokens), encoding="utf-8")


def write_hugging_face(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Path:
    """A Hugging Face folder with one weights file, lower-casing."""
    write_vocabulary(folder)
    write_json(folder / "config.json", config)
    write_json(folder / "tokenizer_config.json", {"do_lower_case": True})
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, folder / "model.safetensors")
    return folder


def write_sentence_transformers(
    folder: Path, pooling: Mapping[str, Any], steps: tuple[str, ...] = ("Pooling", "Normalize")
) -> Path:
    """A sentence-transformers folder round a small BERT."""
    write_hugging_face(folder, BERT, random_tensors(BERT))
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    for number, step in enumerate(steps, start=1):
        kind = f"sentence_transformers.models.{step}"
        modules.append({"idx": number, "name": str(number), "path": f"{number}_{step}", "type": kind})
    write_json(folder / "modules.json", modules)
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": BERT["hidden_size"], **pooling})
    return folder


def write_electra(folder: Path, tensors: Mapping[str, np.ndarray]) -> Path:
    """A TensorFlow 1 checkpoint as google-research/electra saves it, generator, optimizer and all; gives its prefix."""
    write_vocabulary(folder)
    variables = {f"electra/{electra_name(name)}": value for name, value in map(to_tensorflow, tensors.items())}
    variables |= {
        "electra/embeddings/word_embeddings/adam_m": np.zeros(3, np.float32),
        "generator/encoder/layer_0/intermediate/dense/bias": np.zeros(5, np.float32),
        "discriminator_predictions/dense/bias": np.zeros(4, np.float32),
        "global_step": np.zeros((), np.int64),
    }
    prefix = folder / "model.ckpt-1000"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, value in variables.items():
            tf.compat.v1.get_variable(name, initializer=value, use_resource=False)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(prefix))
    return prefix


def to_tensorflow(tensor: tuple[str, np.ndarray]) -> tuple[str, np.ndarray]:
    """The last part of a Hugging Face name as TensorFlow 1 calls it, and kernels transposed."""
    name, value = tensor
    module, _, leaf = name.rpartition(".")
    if "LayerNorm" in module:
        return f"{module}.{'gamma' if leaf == 'weight' else 'beta'}", value
    if module.endswith("_embeddings"):
        return module, value
    return (f"{module}.kernel", value.T) if leaf == "weight" else (name, value)


def electra_name(name: str) -> str:
    return name.replace("layer.", "layer_").replace(".", "/")
