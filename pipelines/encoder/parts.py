"""What a TextEncoder is put together from: kept on this machine, or made anew by TensorFlow."""

from typing import TYPE_CHECKING, NamedTuple

from pipelines.encoder.execution import Chosen
from pipelines.encoder.facts import EncoderFacts
from pipelines.encoder.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pipelines.encoder.preprocessor_graphs import PreprocessorGraphs
    from pipelines.encoder.saved_model import SavedEncoder


class SavedModels(NamedTuple):
    """Encoder and preprocessor as TensorFlow has loaded them."""

    encoder: "SavedEncoder"
    graphs: "PreprocessorGraphs"


class EncoderParts(NamedTuple):
    """saved_models: None where the encoder was kept, and TensorFlow is not imported."""

    tokenizer: Tokenizer
    facts: EncoderFacts
    chosen: Chosen
    saved_models: SavedModels | None = None
