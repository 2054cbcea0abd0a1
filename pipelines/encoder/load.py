"""An encoder's parts: out of the cache folder where it was kept, else by TensorFlow. Imports TensorFlow only then."""

from pipelines.encoder.execution import Execution
from pipelines.encoder.kept_encoder import kept_parts
from pipelines.encoder.parts import EncoderParts
from pipelines.encoder.spec import ResolvedSpec


def encoder_parts(resolved: ResolvedSpec, execution: Execution, beside: EncoderParts | None = None) -> EncoderParts:
    """The parts of an encoder. beside: those of another output of the same model.

    Raises ModelError when a model cannot be used, UsageError when the spec asks for what it cannot give, and
    RuntimeUnfitError.
    """
    if kept := kept_parts(resolved, execution):
        return kept
    # Only now, since TensorFlow takes seconds to import.
    from pipelines.encoder.tensorflow_parts import tensorflow_parts

    return tensorflow_parts(resolved, execution, beside)
