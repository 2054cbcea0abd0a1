"""The encoder that made an output, loaded again: to encode a query, or to check some of the vectors."""

import argparse
from typing import TYPE_CHECKING

from pipelines.encoder.spec import EncoderSpec
from pipelines.output.layout import Output
from pipelines.output.planned import Planned, refuse_other_encoder

if TYPE_CHECKING:
    from pipelines.encoder.text_encoder import TextEncoder


def load_output_encoder(
    planned: Planned,
    output: Output,
    arguments: argparse.Namespace,
    threads: int | None = None,
    runtime: str = "tensorflow",
) -> "TextEncoder":
    """Loads the encoder in job.json, from where --model and --preprocessor say that it lies now. threads, runtime: as
    TextEncoder takes them.

    Raises ModelError when it cannot be used, UsageError when it is another one than the output's.
    """
    from pipelines.encoder.text_encoder import TextEncoder

    spec = output_spec(planned, arguments)
    encoder = TextEncoder.load(spec, threads, output.storage.options, runtime)
    refuse_other_encoder(planned, output, encoder.fingerprint)
    return encoder


def output_spec(planned: Planned, arguments: argparse.Namespace) -> EncoderSpec:
    """The encoder in job.json, with the models where they lie now."""
    plain = planned.job.encoder
    return EncoderSpec(
        **{
            **plain,
            "layers": tuple(plain["layers"]),
            "model": arguments.model or plain["model"],
            "preprocessor": arguments.preprocessor or plain["preprocessor"],
        }
    )
