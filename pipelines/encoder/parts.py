"""What a TextEncoder is put together from: kept on this machine, or made anew by TensorFlow."""

from typing import TYPE_CHECKING, NamedTuple

from pipelines.encoder.execution import Chosen, Execution
from pipelines.encoder.facts import EncoderFacts
from pipelines.encoder.spec import ResolvedSpec
from pipelines.encoder.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pipelines.encoder.preprocessor_graphs import PreprocessorGraphs
    from pipelines.encoder.saved_model import SavedEncoder


class Loaded(NamedTuple):
    """The SavedModels as TensorFlow has loaded them."""

    encoder: "SavedEncoder"
    graphs: "PreprocessorGraphs"


class EncoderParts(NamedTuple):
    """loaded: None where the encoder was kept, and TensorFlow is not imported."""

    tokenizer: Tokenizer
    facts: EncoderFacts
    chosen: Chosen
    loaded: Loaded | None = None


def encoder_parts(resolved: ResolvedSpec, execution: Execution, beside: EncoderParts | None = None) -> EncoderParts:
    """The parts of an encoder. beside: those of another output of the same model.

    Raises ModelError when a model cannot be used, UsageError when the spec asks for what it cannot give, and
    RuntimeUnfitError.
    """
    from pipelines.encoder.kept_encoder import kept_parts

    if kept := kept_parts(resolved, execution):
        return kept
    # Only now, since TensorFlow takes seconds to import.
    from pipelines.encoder.tensorflow_parts import tensorflow_parts

    return tensorflow_parts(resolved, execution, beside)
