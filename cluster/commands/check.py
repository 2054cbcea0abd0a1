"""`encorpus check`: what a SavedModel offers, or why it is no encoder."""

import argparse

from cluster.console import Console
from cluster.job_options import calibrated_since, storage_of
from pipelines.encoder.spec import EncoderSpec, resolve_spec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.numbers import count

GENERATIONS = {"dict": "dict in, dict out", "list": "version 1: list in, list out"}


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Loads the model, encodes a few texts, and says what was found."""
    spec = EncoderSpec(arguments.model, arguments.preprocessor, max_tokens=arguments.max_tokens)
    resolved = resolve_spec(spec, storage_of(arguments).options)
    # With a thread, as workers have where there are as many as cores.
    encoder = TextEncoder.load_resolved(resolved, 1, "auto", calibrated_since(arguments))
    facts = encoder.facts
    longest = encoder.ladder[-1]
    vectors = encoder.encode(["", "a short text", "a longer text " * 200])
    rows = {
        "call": GENERATIONS[facts.generation],
        "inputs": "input_word_ids, input_mask, input_type_ids: int32 [batch, length]",
        "outputs": f"pooled_output [batch, {facts.pooled_width}], "
        f"sequence_output [batch, length, {facts.sequence_width}], "
        f"{count(facts.layers, 'layer')} of encoder_outputs",
        "tokeniser": str(resolved.preprocessor_folder or "built from the model's own vocabulary"),
        "positions": f"{facts.max_positions:,}" if facts.max_positions else "not told",
        "parameters": f"{facts.parameters / 1e6:.1f} M{_operations(facts.flop_of_row(longest) / longest)}",
        "default spec": f"pooling {resolved.pooling}, normalize {str(resolved.normalize).lower()}, "
        f"max tokens {resolved.max_tokens}",
        "runtime here": f"{encoder.runtime}: {encoder.runtime_reason}; {encoder.token_budget:,} tokens a batch",
        "fingerprint": resolved.fingerprint,
    }
    console.print(f"{resolved.model_folder}: a text encoder")
    for name, value in rows.items():
        console.print(f"  {name:<13} {value}")
    console.print(f"encoded {count(len(vectors), 'test text')}; use it with --model {arguments.model}")
    return 0


def _operations(flop_per_token: float) -> str:
    return f", {flop_per_token / 1e6:,.1f} MFLOP a token" if flop_per_token else ""
