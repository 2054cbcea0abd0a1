"""`encorpus search`: the nearest rows to a text, with score, id and text."""

import argparse
import shutil
import textwrap

import numpy as np

from cluster.console import Console
from cluster.job_options import storage_of
from cluster.output_encoder import load_output_encoder
from pipelines.output.layout import Output
from pipelines.output.planned import load_planned
from pipelines.output.search import refuse_sequence, search
from pipelines.visible_text import visible

SHOWN_LINES = 3


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Encodes the query, cut like any text, with the output's own encoder and prints the hits, best first."""
    output = Output(arguments.output, storage_of(arguments))
    planned = load_planned(output)
    refuse_sequence(planned, output)
    # As a job's workers are wont to load it here, since this machine then keeps it ready.
    encoder = load_output_encoder(planned, output, arguments, threads=1, runtime="auto")
    query = np.asarray(encoder.encode([arguments.query]))[0]
    hits = search(output, query, encoder.fingerprint, arguments.top)
    for hit in hits:
        chunk = "" if hit.chunk is None else f"  chunk {hit.chunk}"
        console.print(f"{hit.score:.3f}  {hit.id}{chunk}")
        for line in _shortened(hit.text):
            console.print(f"       {line}")
    if not hits:
        console.print("nothing is committed yet")
    return 0


def _shortened(text: str | None) -> list[str]:
    if text is None:
        return ["(the text is not kept, and its input is gone or changed)"]
    width = min(100, shutil.get_terminal_size().columns - 8)
    return textwrap.wrap(visible(" ".join(text.split())), max(20, width), max_lines=SHOWN_LINES, placeholder=" …")
