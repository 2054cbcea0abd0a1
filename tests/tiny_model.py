"""Random encoders in the Hugging Face format, packaged as real SavedModels: a tiny one for tests, and large ones."""

import json
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from pipelines.packager.package import package

LETTERS = string.ascii_lowercase + string.digits + ".,;:!?'\"()-"
WORDS = ("the", "of", "and", "to", "in", "is", "it", "read", "write", "file", "zip", "archive", "data", "text", "model")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS), *WORDS]

LAYERS, WIDTH, HEADS, INNER, POSITIONS = 2, 32, 2, 64, 64


@dataclass(frozen=True)
class Shape:
    """deviation: of the random weights."""

    layers: int
    width: int
    heads: int
    inner: int
    positions: int
    deviation: float


TINY = Shape(LAYERS, WIDTH, HEADS, INNER, POSITIONS, deviation=0.2)
# As ELECTRA base and large are.
BASE = Shape(12, 768, 12, 3072, 512, 0.02)
LARGE = Shape(24, 1024, 16, 4096, 512, 0.02)


def write_checkpoint(folder: Path, seed: int = 7, shape: Shape = TINY, vocabulary: Sequence[str] = VOCABULARY) -> Path:
    """Writes config.json, model.safetensors and vocab.txt of a BERT."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    width = shape.width

    def normal(*size: int) -> np.ndarray:
        return (rng.standard_normal(size) * shape.deviation).astype(np.float32)

    def dense(name: str, inputs: int, outputs: int) -> dict[str, np.ndarray]:
        return {f"{name}.weight": normal(outputs, inputs), f"{name}.bias": normal(outputs)}

    def norm(name: str) -> dict[str, np.ndarray]:
        return {f"{name}.weight": 1 + normal(width), f"{name}.bias": normal(width)}

    tensors = {
        "embeddings.word_embeddings.weight": normal(len(vocabulary), width),
        "embeddings.position_embeddings.weight": normal(shape.positions, width),
        "embeddings.token_type_embeddings.weight": normal(2, width),
        **norm("embeddings.LayerNorm"),
        **dense("pooler.dense", width, width),
    }
    for layer in range(shape.layers):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            tensors |= dense(f"{name}.attention.self.{part}", width, width)
        tensors |= dense(f"{name}.attention.output.dense", width, width) | norm(f"{name}.attention.output.LayerNorm")
        tensors |= dense(f"{name}.intermediate.dense", width, shape.inner) | dense(
            f"{name}.output.dense", shape.inner, width
        )
        tensors |= norm(f"{name}.output.LayerNorm")
    save_file(tensors, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": 2,
        "vocab_size": len(vocabulary),
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def package_tiny_model(folder: Path, seed: int = 7) -> Path:
    """The SavedModel of such an encoder, with its preprocessor inside."""
    package(str(write_checkpoint(folder / f"checkpoint-{seed}", seed)), str(folder / f"model-{seed}"))
    return folder / f"model-{seed}"
