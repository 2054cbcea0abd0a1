"""`encorpus verify`: proves an output from its files; with --deep, looks at what they hold as well."""

import argparse
import secrets

from cluster.arguments import SAMPLE_ROWS
from cluster.console import Console
from cluster.job_options import storage_of
from cluster.line_display import line_display
from cluster.output_encoder import load_output_encoder
from pipelines.errors import UsageError
from pipelines.numbers import count, rows_held, size
from pipelines.output.check_sample import Sampling
from pipelines.output.layout import Output
from pipelines.output.planned import load_planned
from pipelines.output.verify import verify

SHOWN = 20
PROVEN, VIOLATED = 0, 1
SEEDS = 1_000_000
FOR_DEEP = ("sample", "seed", "model", "preprocessor")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Verifies; the exit status is 1 when anything is wrong."""
    output = Output(arguments.output, storage_of(arguments))
    with line_display(console, "reading the plan") as show:
        if arguments.deep:
            show("loading the encoder")
        deep = _sampling(output, arguments)
        found = verify(
            output,
            with_input=arguments.input,
            deep=deep,
            on_progress=lambda what, done, of: show(f"{done:,} of {of:,} {what}"),
        )
    for violation in found.violations[:SHOWN]:
        console.print(f"✗ {violation}")
    if len(found.violations) > SHOWN:
        console.print(f"  and {len(found.violations) - SHOWN:,} more")
    rows = f"{rows_held(found.rows, found.documents)}, {count(found.rejects, 'reject')}"
    read = f"{count(found.shards, 'shard')}, {rows}, {size(found.bytes)}"
    if deep is not None:
        read += f"; {count(found.sampled, 'row')} embedded again (--sample {deep.rows} --seed {deep.seed})"
    if found.violations:
        console.print(f"{arguments.output}: {count(len(found.violations), 'violation')}; read {read}")
        return VIOLATED
    against = "plan, footers, checksums, manifest" + (" and input" if arguments.input else "")
    sound = ", and vectors are those of their texts" if deep is not None else ""
    console.print(f"✓ {arguments.output}: {read}; {against} agree: nothing lost, doubled or damaged{sound}")
    return PROVEN


def _sampling(output: Output, arguments: argparse.Namespace) -> Sampling | None:
    if not arguments.deep:
        if given := next((name for name in FOR_DEEP if getattr(arguments, name) is not None), None):
            raise UsageError(f"--{given} is for --deep; give that too, or leave it out")
        return None
    encoder = load_output_encoder(load_planned(output), output, arguments)
    return Sampling(
        encode=encoder.encode_documents,
        fingerprint=encoder.fingerprint,
        rows=arguments.sample or SAMPLE_ROWS,
        seed=arguments.seed or 1 + secrets.randbelow(SEEDS),
    )
