"""BERT and ELECTRA written once more, in float64 numpy and over Hugging Face names: what packaging must agree with."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Tensors = Mapping[str, np.ndarray]
ACTIVATIONS = {
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2,
    "gelu_new": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "relu": lambda x: np.maximum(x, 0),
}


def encode(
    config: Mapping[str, Any], tensors: Tensors, ids: np.ndarray, mask: np.ndarray, types: np.ndarray
) -> list[np.ndarray]:
    """The output of every layer, [n, length, width] each, for int arrays [n, length]; names without prefix."""
    embeddings = (
        tensors["embeddings.word_embeddings.weight"].astype(float)[ids]
        + tensors["embeddings.position_embeddings.weight"].astype(float)[: ids.shape[1]]
        + tensors["embeddings.token_type_embeddings.weight"].astype(float)[types]
    )
    x = layer_norm(embeddings, tensors, "embeddings.LayerNorm", config["layer_norm_eps"])
    if "embeddings_project.weight" in tensors:
        x = dense(x, tensors, "embeddings_project")
    outputs = []
    for layer in range(config["num_hidden_layers"]):
        x = transformer_layer(x, mask, config, tensors, f"encoder.layer.{layer}")
        outputs.append(x)
    return outputs


def pool(tensors: Tensors, sequence: np.ndarray) -> np.ndarray:
    """BERT's pooler: [n, width]."""
    return np.tanh(dense(sequence[:, 0], tensors, "pooler.dense"))


def mean_of_tokens(sequence: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The unit-length mean over the tokens that are not padding: [n, width]."""
    mean = np.einsum("nlw,nl->nw", sequence, mask) / mask.sum(1, keepdims=True)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def transformer_layer(
    x: np.ndarray, mask: np.ndarray, config: Mapping[str, Any], tensors: Tensors, name: str
) -> np.ndarray:
    context = np.zeros_like(x)
    heads = config["num_attention_heads"]
    query, key, value = (dense(x, tensors, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
    for head in np.split(np.arange(x.shape[-1]), heads):
        scores = query[:, :, head] @ key[:, :, head].swapaxes(1, 2) / math.sqrt(len(head))
        scores = np.where(mask[:, None, :] == 1, scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        context[:, :, head] = shares / shares.sum(-1, keepdims=True) @ value[:, :, head]
    epsilon = config["layer_norm_eps"]
    attended = dense(context, tensors, f"{name}.attention.output.dense")
    x = layer_norm(x + attended, tensors, f"{name}.attention.output.LayerNorm", epsilon)
    inner = ACTIVATIONS[config["hidden_act"]](dense(x, tensors, f"{name}.intermediate.dense"))
    return layer_norm(x + dense(inner, tensors, f"{name}.output.dense"), tensors, f"{name}.output.LayerNorm", epsilon)


def dense(x: np.ndarray, tensors: Tensors, name: str) -> np.ndarray:
    return x @ tensors[f"{name}.weight"].astype(float).T + tensors[f"{name}.bias"].astype(float)


def layer_norm(x: np.ndarray, tensors: Tensors, name: str, epsilon: float) -> np.ndarray:
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    return scaled * tensors[f"{name}.weight"].astype(float) + tensors[f"{name}.bias"].astype(float)
