"""An encoder and its preprocessor, loaded by TensorFlow; what OpenVINO makes of them is kept for the next time."""

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from pipelines.encoder.calibration import OPENVINO
from pipelines.encoder.device import prepare_tensorflow
from pipelines.encoder.execution import Execution
from pipelines.encoder.facts import EncoderFacts
from pipelines.encoder.flop import flop_by_length
from pipelines.encoder.kept_encoder import keep
from pipelines.encoder.parts import EncoderParts, SavedModels
from pipelines.encoder.preprocessor_graphs import PreprocessorGraphs
from pipelines.encoder.runtime_choice import choose_runtime
from pipelines.encoder.saved_model import SavedEncoder, load_encoder
from pipelines.encoder.spec import ResolvedSpec, check_layers, check_max_tokens
from pipelines.encoder.tokenizer import Tokenizer
from pipelines.encoder.vector_function import VectorFunction

if TYPE_CHECKING:
    from pipelines.encoder.openvino_runtime import OpenVinoRuntime


def tensorflow_parts(resolved: ResolvedSpec, execution: Execution, beside: EncoderParts | None) -> EncoderParts:
    """As `encoder_parts`."""
    gpu = prepare_tensorflow(execution.threads)
    models = (beside and beside.saved_models) or _saved_models(resolved)
    tokenizer = Tokenizer(models.graphs, resolved.max_tokens)
    function = VectorFunction(models.encoder, resolved)
    self_check = functools.cache(lambda: function.self_check(tokenizer))
    chosen = choose_runtime(replace(execution, gpu=gpu), function, self_check)
    facts = _facts(models.encoder, function, resolved.max_tokens)
    if chosen.runtime.name == OPENVINO:
        keep(resolved, cast("OpenVinoRuntime", chosen.runtime).source, models.graphs, facts, self_check)
    return EncoderParts(tokenizer, facts, chosen, models)


def _saved_models(resolved: ResolvedSpec) -> SavedModels:
    encoder = load_encoder(resolved.model_folder)
    for longest in (encoder.max_positions, encoder.fixed_length):
        check_max_tokens(resolved.spec, resolved.max_tokens, longest)
    check_layers(resolved.spec.layers, encoder.layer_count)
    return SavedModels(encoder, PreprocessorGraphs.of(resolved, encoder.module))


def _facts(encoder: SavedEncoder, function: VectorFunction, longest: int) -> EncoderFacts:
    weights = [variable.shape.num_elements() or 0 for variable in getattr(encoder.module, "variables", [])]
    return EncoderFacts(
        generation=encoder.generation,
        pooled_width=encoder.pooled_width,
        sequence_width=encoder.sequence_width,
        layers=encoder.layer_count,
        max_positions=encoder.max_positions,
        fixed_length=encoder.fixed_length,
        parameters=sum(weights),
        flop=flop_by_length(function, encoder.fixed_length, longest),
    )
