"""`encorpus verify`: proves an output from its files alone."""

import argparse

from cluster.console import Console
from cluster.job_options import storage_of
from cluster.numbers import count, size
from pipelines.output.layout import Output
from pipelines.output.verify import verify

SHOWN = 20
PROVEN, VIOLATED = 0, 1


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Verifies; the exit status is 1 when anything is wrong."""
    found = verify(Output(arguments.output, storage_of(arguments)), with_input=arguments.input)
    for violation in found.violations[:SHOWN]:
        console.print(f"✗ {violation}")
    if len(found.violations) > SHOWN:
        console.print(f"  and {len(found.violations) - SHOWN:,} more")
    rows = f"{count(found.rows, 'row')}, {count(found.rejects, 'reject')}"
    read = f"{count(found.shards, 'shard')}, {rows}, {size(found.bytes)}"
    if found.violations:
        console.print(f"{arguments.output}: {count(len(found.violations), 'violation')}; read {read}")
        return VIOLATED
    against = "plan, footers, checksums, manifest" + (" and input" if arguments.input else "")
    console.print(f"✓ {arguments.output}: {read}; {against} agree: nothing lost, doubled or damaged")
    return PROVEN
