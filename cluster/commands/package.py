"""`encorpus package`: a checkpoint becomes a SavedModel."""

import argparse
import shlex

from cluster.console import Console
from pipelines.numbers import count
from pipelines.packager.package import package


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Packages and says what came out."""
    report = package(arguments.checkpoint, arguments.output)
    console.print(f"{report.output}: {report.architecture}, {report.parameters / 1e6:.1f} M parameters")
    console.print(
        f"  {report.layers} layers, {report.width} wide, {report.heads} heads, {report.max_positions} positions"
    )
    console.print(
        f"  {count(report.vocabulary, 'token')} in the vocabulary, {'un' if report.do_lower_case else ''}cased"
    )
    recommended = {"pooling": report.pooling, "normalize": report.normalize, "max tokens": report.max_tokens}
    told = ", ".join(f"{name} {str(value).lower()}" for name, value in recommended.items() if value is not None)
    console.print(f"  recommended by the source: {told or 'nothing (pooling is then pooled, as published)'}")
    for note in report.notes:
        console.print(f"  {note}")
    console.print(f"use it: encorpus embed INPUT -o OUTPUT --model {shlex.quote(report.output)}")
    return 0
