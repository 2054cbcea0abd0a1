"""A TF-Hub text encoder's SavedModel, whatever its generation, as one function of three int32 tensors.

Two call conventions are published. Dict in, dict out: `encoder({"input_word_ids", "input_mask",
"input_type_ids"}, training=False)`. Version 1, list in, list out: `encoder([word_ids, mask, type_ids])` gives
`[pooled_output, sequence_output]`. Both are described in TF-Hub's "Common SavedModel APIs for Text Tasks".
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops that text SavedModels hold

from pipelines.encoder.pooling import EncoderOutputs
from pipelines.errors import ModelError

INPUT_NAMES = ("input_word_ids", "input_mask", "input_type_ids")


@dataclass(frozen=True)
class SavedEncoder:
    """A loaded encoder.

    outputs(word_ids, mask, type_ids), int32 [B, L] each, traces into the caller's graph.
    width: of a vector. max_positions: the longest sequence, None where the model does not tell.
    fixed_length: the only sequence length its signature takes, else None.
    """

    module: Any
    generation: str
    width: int
    layer_count: int
    max_positions: int | None
    fixed_length: int | None
    outputs: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], EncoderOutputs]


def load_saved_model(folder: Path) -> Any:
    """`tf.saved_model.load`, with its failures told in one line. Raises ModelError."""
    try:
        return tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow raises many types here, for a broken file or a missing op
        raise ModelError(f"model {folder}: TensorFlow cannot load it: {_first_line(error)}") from None


def load_encoder(folder: Path) -> SavedEncoder:
    """Loads and recognises the encoder in a folder. Raises ModelError that says why it is not one."""
    module = load_saved_model(folder)
    signature = _call_signature(module, folder)
    generation = "dict" if isinstance(signature, dict) else "list"
    outputs = _outputs_of_dict(module) if generation == "dict" else _outputs_of_list(module)
    fixed = _fixed_length(signature)
    traced = _trace(outputs, fixed, folder)
    return SavedEncoder(
        module=module,
        generation=generation,
        width=traced.sequence.shape[-1] or 0,
        layer_count=len(traced.layers),
        max_positions=_max_positions(module),
        fixed_length=fixed,
        outputs=outputs,
    )


def matrix_parameters(module: Any) -> int:
    """How many weights stand in matrices that every token is multiplied with (kernels, not embedding tables)."""
    return sum(
        variable.shape.num_elements() or 0
        for variable in getattr(module, "variables", [])
        if variable.shape.rank >= 2 and "embedding" not in _table_name(variable.name)
    )


def _table_name(name: str) -> str:
    # The projection from the embedding's width is a matrix, though its name says embedding.
    return "" if "projection" in name or "project" in name else name


def _call_signature(module: Any, folder: Path) -> dict | list:
    """The encoder's first argument as TensorSpecs: a dict by name, or a list of three."""
    call = getattr(module, "__call__", None)  # noqa: B004  the restored function itself, not whether there is one
    functions = getattr(call, "concrete_functions", None)
    if not functions:
        names = ", ".join(getattr(module, "signatures", {})) or "none"
        raise ModelError(f"model {folder}: not a text encoder: it cannot be called (its signatures: {names})")
    argument = functions[0].structured_input_signature[0][0]
    if isinstance(argument, dict):
        missing = [name for name in INPUT_NAMES if name not in argument]
        if missing:
            raise ModelError(
                f"model {folder}: not a text encoder: it takes {', '.join(sorted(argument))}, "
                f"and not {', '.join(missing)}"
            )
        return argument
    if isinstance(argument, list | tuple) and len(argument) == len(INPUT_NAMES):
        return list(argument)
    if getattr(argument, "dtype", None) == tf.string:
        raise ModelError(
            f"model {folder}: not an encoder but a preprocessor or a text-to-vector module: it takes strings"
        )
    raise ModelError(
        f"model {folder}: not a text encoder: its call takes neither the dict nor the list of three inputs"
    )


def _outputs_of_dict(module: Any) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], EncoderOutputs]:
    call = _without_training(module)

    def outputs(word_ids: tf.Tensor, mask: tf.Tensor, type_ids: tf.Tensor) -> EncoderOutputs:
        given = call(dict(zip(INPUT_NAMES, (word_ids, mask, type_ids), strict=True)))
        return EncoderOutputs(
            pooled=given["pooled_output"],
            sequence=given["sequence_output"],
            layers=tuple(given.get("encoder_outputs", ())),
        )

    return outputs


def _outputs_of_list(module: Any) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], EncoderOutputs]:
    call = _without_training(module)

    def outputs(word_ids: tf.Tensor, mask: tf.Tensor, type_ids: tf.Tensor) -> EncoderOutputs:
        pooled, sequence = call([word_ids, mask, type_ids])[:2]
        return EncoderOutputs(pooled=pooled, sequence=sequence, layers=())

    return outputs


def _without_training(module: Any) -> Callable[[Any], Any]:
    """The module's call with dropout off, for modules with and without a `training` argument."""

    def call(inputs: Any) -> Any:
        try:
            return module(inputs, training=False)
        except (TypeError, ValueError):
            return module(inputs)

    return call


def _fixed_length(signature: dict | list) -> int | None:
    specs = list(signature.values()) if isinstance(signature, dict) else signature
    return specs[0].shape[1] if specs[0].shape.rank == 2 else None


def _trace(
    outputs: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], EncoderOutputs], fixed: int | None, folder: Path
) -> EncoderOutputs:
    """The outputs as symbolic tensors, or ModelError: the call must work and give [B, W] and [B, L, W]."""
    seen: list[EncoderOutputs] = []

    def probe(word_ids: tf.Tensor, mask: tf.Tensor, type_ids: tf.Tensor) -> tf.Tensor:
        seen.append(outputs(word_ids, mask, type_ids))
        return word_ids

    try:
        tf.function(probe).get_concrete_function(*[tf.TensorSpec([None, fixed], tf.int32)] * 3)
    except KeyError as error:
        raise ModelError(f"model {folder}: not a text encoder: it gives no {error.args[0]}") from None
    except Exception as error:
        raise ModelError(f"model {folder}: not a text encoder: its call fails: {_first_line(error)}") from None
    if seen[0].sequence.shape.rank != 3 or seen[0].sequence.shape[-1] is None:
        raise ModelError(f"model {folder}: not a text encoder: sequence_output has the shape {seen[0].sequence.shape}")
    return seen[0]


def _max_positions(module: Any) -> int | None:
    """Rows of the position embedding table. Every published BERT, ELECTRA and ALBERT export names it so."""
    for variable in getattr(module, "variables", []):
        if "position_embedding" in variable.name and variable.shape.rank == 2:
            return int(variable.shape[0])
    return None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
