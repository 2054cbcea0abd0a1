"""A TF-Hub text encoder's SavedModel, whatever its generation, as one function of three int32 tensors.

Two call conventions are published. Dict in, dict out: `encoder({"input_word_ids", "input_mask",
"input_type_ids"}, training=False)`. Version 1, list in, list out: `encoder([word_ids, mask, type_ids])` gives
`[pooled_output, sequence_output]`. Both are described in TF-Hub's "Common SavedModel APIs for Text Tasks".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops that text SavedModels hold

from pipelines.encoder.model_cache import entry_of
from pipelines.encoder.pooling import EncoderOutputs
from pipelines.encoder.saved_model_file import positions
from pipelines.encoder.token_graphs import INPUT_NAMES
from pipelines.errors import ModelError, first_line

EncoderFunction = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], EncoderOutputs]


@dataclass(frozen=True)
class SavedEncoder:
    """A loaded encoder.

    outputs(word_ids, mask, type_ids), int32 [B, L] each, traces into the caller's graph, dropout off.
    pooled_width, sequence_width: of pooled_output and of sequence_output. layer_count: of encoder_outputs.
    max_positions: None where the model does not tell. fixed_length: the only sequence length its call takes, else None.
    """

    module: Any
    generation: str
    pooled_width: int
    sequence_width: int
    layer_count: int
    max_positions: int | None
    fixed_length: int | None
    outputs: EncoderFunction


def load_saved_model(folder: Path) -> Any:
    """`tf.saved_model.load`, with its failures told in one line. Raises ModelError."""
    try:
        return tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow raises many types here, for a broken file or a missing op
        entry = entry_of(folder)
        again = f"; delete {entry} to fetch it anew" if entry else ""
        raise ModelError(f"model {folder}: TensorFlow cannot load it: {first_line(error)}{again}") from None


def load_encoder(folder: Path) -> SavedEncoder:
    """Loads and recognises the encoder in a folder. Raises ModelError that says why it is not one."""
    module = load_saved_model(folder)
    call = _traced_call(module, folder)
    arguments, _ = call.structured_input_signature
    inputs = _inputs(arguments[0] if arguments else None, folder)
    # Without the argument dropout is off for good; with it, off is what the published snippet asks for.
    options = {"training": False} if "training" in call.function_type.parameters else {}
    outputs = _outputs_of_dict(module, options) if isinstance(inputs, dict) else _outputs_of_list(module, options)
    fixed = _fixed_length(inputs)
    traced = _trace(outputs, fixed, folder)
    width = _width("sequence_output", traced.sequence, 3, folder)
    for layer in traced.layers:
        _width("encoder_outputs", layer, 3, folder, width)
    return SavedEncoder(
        module=module,
        generation="dict" if isinstance(inputs, dict) else "list",
        pooled_width=_width("pooled_output", traced.pooled, 2, folder),
        sequence_width=width,
        layer_count=len(traced.layers),
        max_positions=positions(folder),
        fixed_length=fixed,
        outputs=outputs,
    )


def _traced_call(module: Any, folder: Path) -> Any:
    """The first of the functions that calling the module can run."""
    call = getattr(module, "__call__", None)  # noqa: B004  the restored function itself, not whether there is one
    functions = getattr(call, "concrete_functions", None)
    if not functions:
        names = ", ".join(getattr(module, "signatures", {})) or "none"
        raise ModelError(f"model {folder}: not a text encoder: it cannot be called (its signatures: {names})")
    return functions[0]


def _inputs(argument: Any, folder: Path) -> dict | list:
    """The encoder's first argument as TensorSpecs: a dict by name, or a list of three."""
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


def _outputs_of_dict(module: Any, options: Mapping[str, bool]) -> EncoderFunction:
    def outputs(word_ids: tf.Tensor, mask: tf.Tensor, type_ids: tf.Tensor) -> EncoderOutputs:
        given = module(dict(zip(INPUT_NAMES, (word_ids, mask, type_ids), strict=True)), **options)
        return EncoderOutputs(
            pooled=given["pooled_output"],
            sequence=given["sequence_output"],
            layers=tuple(given.get("encoder_outputs", ())),
        )

    return outputs


def _outputs_of_list(module: Any, options: Mapping[str, bool]) -> EncoderFunction:
    def outputs(word_ids: tf.Tensor, mask: tf.Tensor, type_ids: tf.Tensor) -> EncoderOutputs:
        pooled, sequence = module([word_ids, mask, type_ids], **options)[:2]
        return EncoderOutputs(pooled=pooled, sequence=sequence, layers=())

    return outputs


def _fixed_length(inputs: dict | list) -> int | None:
    specs = list(inputs.values()) if isinstance(inputs, dict) else inputs
    return specs[0].shape[1] if specs[0].shape.rank == 2 else None


def _trace(outputs: EncoderFunction, fixed: int | None, folder: Path) -> EncoderOutputs:
    """The outputs as symbolic tensors, or ModelError: the call must work."""
    seen: list[EncoderOutputs] = []

    def probe(word_ids: tf.Tensor, mask: tf.Tensor, type_ids: tf.Tensor) -> tf.Tensor:
        seen.append(outputs(word_ids, mask, type_ids))
        return word_ids

    try:
        tf.function(probe, autograph=False).get_concrete_function(*[tf.TensorSpec([None, fixed], tf.int32)] * 3)
    except KeyError as error:
        raise ModelError(f"model {folder}: not a text encoder: it gives no {error.args[0]}") from None
    except Exception as error:
        raise ModelError(f"model {folder}: not a text encoder: its call fails: {first_line(error)}") from None
    return seen[0]


def _width(name: str, output: tf.Tensor, rank: int, folder: Path, expected: int | None = None) -> int:
    """The last dimension of an output, which has to be `expected` where that is a number."""
    width = output.shape[-1] if output.shape.rank == rank else None
    if width is None or expected not in (None, width):
        raise ModelError(f"model {folder}: not a text encoder: {name} has the shape {output.shape}")
    return int(width)
