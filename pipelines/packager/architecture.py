"""The sizes of a BERT or ELECTRA encoder, and the weights that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pipelines.errors import UsageError

# Names that configurations give to activations, and which of ours each one is. "gelu" is the exact (erf) form.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}


@dataclass(frozen=True)
class Architecture:
    """All that fixes the computation but the weights. Widths and counts are numbers of units.

    family: "bert" or "electra". vocabulary, positions, segments: rows of the three embedding tables.
    activation: "gelu" (erf form), "gelu_tanh" or "relu". Dropout rates are of training alone.
    """

    family: str
    layers: int
    width: int
    heads: int
    intermediate: int
    embedding_width: int
    vocabulary: int
    positions: int
    segments: int
    activation: str = "gelu"
    layer_norm_epsilon: float = 1e-12
    dropout: float = 0.1
    attention_dropout: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int and value < 1:
                raise UsageError(f"a model whose {field.name} is {value} cannot be packaged: at least 1 is needed")
        if self.width % self.heads:
            raise UsageError(f"a width of {self.width} cannot be divided among {self.heads} attention heads")


def weight_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The name and shape of every weight, in the order and under the names of the published encoders.

    Kernels are [inputs, outputs]; those of attention are not yet divided into heads.
    """
    width, intermediate = architecture.width, architecture.intermediate
    embedding_width = architecture.embedding_width
    shapes: dict[str, tuple[int, ...]] = {
        "word_embeddings/embeddings": (architecture.vocabulary, embedding_width),
        "position_embedding/embeddings": (architecture.positions, embedding_width),
        "type_embeddings/embeddings": (architecture.segments, embedding_width),
        **_layer_norm("embeddings/layer_norm", embedding_width),
    }
    if embedding_width != width:
        shapes |= _dense("embedding_projection", embedding_width, width)
    for layer in range(architecture.layers):
        name = f"transformer/layer_{layer}"
        for part in ("query", "key", "value", "attention_output"):
            shapes |= _dense(f"{name}/self_attention/{part}", width, width)
        shapes |= _layer_norm(f"{name}/self_attention_layer_norm", width)
        shapes |= _dense(f"{name}/intermediate", width, intermediate)
        shapes |= _dense(f"{name}/output", intermediate, width)
        shapes |= _layer_norm(f"{name}/output_layer_norm", width)
    return shapes | _dense("pooler_transform", width, width)


def activation_named(name: str, where: str) -> str:
    """Our activation for a configuration's `hidden_act`; UsageError, beginning with `where`, if there is none."""
    if name not in ACTIVATIONS:
        raise UsageError(f"{where}: hidden_act {name!r} is not supported; one of {', '.join(ACTIVATIONS)} is needed")
    return ACTIVATIONS[name]


def read_number(config: Mapping[str, Any], key: str, where: str, default: float | None = None) -> float:
    """`config[key]` as a number; UsageError, beginning with `where`, when it is missing or something else."""
    value = config.get(key)
    if value is None:
        value = default
    if value is None:
        raise UsageError(f"{where} lacks {key!r}, without which the model cannot be rebuilt")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{where}: {key!r} is {value!r} where a number is needed")
    return value


def _dense(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/kernel": (inputs, outputs), f"{name}/bias": (outputs,)}


def _layer_norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/gamma": (width,), f"{name}/beta": (width,)}
