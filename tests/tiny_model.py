"""A small random encoder in the Hugging Face format, packaged as a real SavedModel: a model for tests."""

import json
import string
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from pipelines.packager.package import package

LETTERS = string.ascii_lowercase + string.digits + ".,;:!?'\"()-"
WORDS = ("the", "of", "and", "to", "in", "is", "it", "read", "write", "file", "zip", "archive", "data", "text", "model")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS), *WORDS]

LAYERS, WIDTH, HEADS, INNER, POSITIONS = 2, 32, 2, 64, 64


def write_checkpoint(folder: Path, seed: int = 7) -> Path:
    """Writes config.json, model.safetensors and vocab.txt of a BERT of two layers, 32 wide, 64 positions."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 0.2).astype(np.float32)

    def dense(name: str, inputs: int, outputs: int) -> dict[str, np.ndarray]:
        return {f"{name}.weight": normal(outputs, inputs), f"{name}.bias": normal(outputs)}

    def norm(name: str) -> dict[str, np.ndarray]:
        return {f"{name}.weight": 1 + normal(WIDTH), f"{name}.bias": normal(WIDTH)}

    tensors = {
        "embeddings.word_embeddings.weight": normal(len(VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": normal(POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": normal(2, WIDTH),
        **norm("embeddings.LayerNorm"),
        **dense("pooler.dense", WIDTH, WIDTH),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            tensors |= dense(f"{name}.attention.self.{part}", WIDTH, WIDTH)
        tensors |= dense(f"{name}.attention.output.dense", WIDTH, WIDTH) | norm(f"{name}.attention.output.LayerNorm")
        tensors |= dense(f"{name}.intermediate.dense", WIDTH, INNER) | dense(f"{name}.output.dense", INNER, WIDTH)
        tensors |= norm(f"{name}.output.LayerNorm")
    save_file(tensors, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "vocab_size": len(VOCABULARY),
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def package_tiny_model(folder: Path, seed: int = 7) -> Path:
    """The SavedModel of such an encoder, with its preprocessor inside."""
    package(str(write_checkpoint(folder / f"checkpoint-{seed}", seed)), str(folder / f"model-{seed}"))
    return folder / f"model-{seed}"
