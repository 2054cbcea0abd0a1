"""`encorpus check`: what a SavedModel offers, or why it is no encoder."""

import argparse

from cluster.console import Console
from cluster.numbers import count
from pipelines.encoder.spec import EncoderSpec, resolve_spec
from pipelines.encoder.text_encoder import TextEncoder

GENERATIONS = {"dict": "dict in, dict out", "list": "version 1: list in, list out"}


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Loads the model, encodes a few texts, and says what was found."""
    resolved = resolve_spec(EncoderSpec(arguments.model, arguments.preprocessor))
    encoder = TextEncoder.load_resolved(resolved)
    facts = encoder.facts()
    vectors = encoder.encode(["", "a short text", "a longer text " * 200])
    rows = {
        "call": GENERATIONS[facts.generation],
        "inputs": "input_word_ids, input_mask, input_type_ids: int32 [batch, length]",
        "outputs": f"pooled_output [batch, {facts.width}], sequence_output [batch, length, {facts.width}], "
        f"{count(facts.layers, 'layer')} of encoder_outputs",
        "tokeniser": str(resolved.preprocessor_folder or "built from the model's own vocabulary"),
        "positions": f"{facts.max_positions:,}" if facts.max_positions else "not told",
        "parameters": f"{facts.parameters / 1e6:.1f} M, {facts.matrix_parameters * 2 / 1e6:.1f} MFLOP a token",
        "default spec": f"pooling {resolved.pooling}, normalize {str(resolved.normalize).lower()}, "
        f"max tokens {resolved.max_tokens}",
        "fingerprint": resolved.fingerprint,
    }
    console.print(f"{resolved.model_folder}: a text encoder")
    for name, value in rows.items():
        console.print(f"  {name:<13} {value}")
    console.print(f"encoded {count(len(vectors), 'test text')}; use it with --model {arguments.model}")
    return 0
