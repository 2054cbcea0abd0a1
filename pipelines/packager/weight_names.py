"""Finds the weights of an architecture in a checkpoint that uses the original BERT names.

TensorFlow 1 and Hugging Face checkpoints of BERT and ELECTRA share one naming scheme; they differ in the
separator, in what the last part is called and in whether kernels are stored transposed.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.errors import UsageError
from pipelines.packager.architecture import Architecture, weight_shapes
from pipelines.packager.checkpoint import identity_pooler

# From the names of the published encoders to those of the original BERT program; {} is the layer's number.
MODULES = {
    "word_embeddings": "embeddings/word_embeddings",
    "position_embedding": "embeddings/position_embeddings",
    "type_embeddings": "embeddings/token_type_embeddings",
    "embeddings/layer_norm": "embeddings/LayerNorm",
    "embedding_projection": "embeddings_project",
    "transformer/layer_{}/self_attention/query": "encoder/layer_{}/attention/self/query",
    "transformer/layer_{}/self_attention/key": "encoder/layer_{}/attention/self/key",
    "transformer/layer_{}/self_attention/value": "encoder/layer_{}/attention/self/value",
    "transformer/layer_{}/self_attention/attention_output": "encoder/layer_{}/attention/output/dense",
    "transformer/layer_{}/self_attention_layer_norm": "encoder/layer_{}/attention/output/LayerNorm",
    "transformer/layer_{}/intermediate": "encoder/layer_{}/intermediate/dense",
    "transformer/layer_{}/output": "encoder/layer_{}/output/dense",
    "transformer/layer_{}/output_layer_norm": "encoder/layer_{}/output/LayerNorm",
    "pooler_transform": "pooler/dense",
}


@dataclass(frozen=True)
class Naming:
    """How one format spells the names: each of our leaves (kernel, bias…) has one or more spellings, tried in turn."""

    separator: str
    layer: str
    leaves: Mapping[str, tuple[str, ...]]
    kernels_transposed: bool

    def spellings(self, weight: str) -> list[str]:
        """The names under which a checkpoint may hold our weight, the usual one first."""
        module, _, leaf = weight.rpartition("/")
        number = re.search(r"layer_(\d+)", module)
        path = MODULES[re.sub(r"layer_\d+", "layer_{}", module)]
        if number:
            path = path.replace("layer_{}", self.layer.format(number[1]))
        path = path.replace("/", self.separator)
        return [path + (self.separator + spelling if spelling else "") for spelling in self.leaves[leaf]]


TENSORFLOW = Naming(
    separator="/",
    layer="layer_{}",
    leaves={
        "embeddings": ("",),
        "kernel": ("kernel",),
        "bias": ("bias",),
        "gamma": ("gamma",),
        "beta": ("beta",),
    },
    kernels_transposed=False,
)

HUGGING_FACE = Naming(
    separator=".",
    layer="layer.{}",
    leaves={
        "embeddings": ("weight",),
        "kernel": ("weight",),
        "bias": ("bias",),
        "gamma": ("weight", "gamma"),  # gamma and beta: before PyTorch had a layer normalisation of its own
        "beta": ("bias", "beta"),
    },
    kernels_transposed=True,
)


def gather_weights(
    architecture: Architecture,
    naming: Naming,
    prefix: str,
    names: Collection[str],
    read: Callable[[str], np.ndarray],
    where: str,
) -> tuple[dict[str, np.ndarray], bool]:
    """Reads every weight of the architecture, as float32; also says whether the pooler was among them.

    `names` are the tensors that the checkpoint holds, `read` gives one of them. Without a pooler the weights
    have the identity in its place. Raises UsageError, beginning with `where`, naming the first tensor that is
    missing or has another shape.
    """
    weights = {}
    pooled = all(_found(naming, prefix, f"pooler_transform/{leaf}", names) for leaf in ("kernel", "bias"))
    for weight, shape in weight_shapes(architecture).items():
        if weight.startswith("pooler_transform/") and not pooled:
            continue
        name = _found(naming, prefix, weight, names)
        if name is None:
            raise UsageError(f"{where} has no tensor {prefix + naming.spellings(weight)[0]!r}")
        transposed = naming.kernels_transposed and weight.endswith("/kernel")
        tensor = read(name)
        asked = shape[::-1] if transposed else shape
        if tensor.shape != asked:
            raise UsageError(
                f"{where}: tensor {name!r} has shape {list(tensor.shape)}, the configuration asks for {list(asked)}"
            )
        weights[weight] = np.asarray(tensor.T if transposed else tensor, np.float32, order="C")
    if not pooled:
        weights |= identity_pooler(architecture.width)
    return weights, pooled


def _found(naming: Naming, prefix: str, weight: str, names: Collection[str]) -> str | None:
    return next((prefix + name for name in naming.spellings(weight) if prefix + name in names), None)
