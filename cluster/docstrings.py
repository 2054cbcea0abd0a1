"""A real corpus that every machine has: the docstrings of Python's standard library, as sharded Parquet."""

import ast
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FILES = 4

# Third-party packages and the library's own tests are no documentation of the library.
LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo", "__pycache__")


def write_docstring_corpus(folder: Path) -> int:
    """Writes the columns `name` (qualified) and `text` to a few Parquet files; returns the number of rows.

    The folder appears whole or not at all.
    """
    names, texts = zip(*sorted(dict(standard_library_docstrings()).items()), strict=True)
    table = pa.table({"name": pa.array(names), "text": pa.array(texts)})
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    rows = -(-table.num_rows // FILES)
    for number in range(FILES):
        pq.write_table(table.slice(number * rows, rows), partial / f"docstrings-{number}.parquet")
    partial.rename(folder)
    return table.num_rows


def standard_library_docstrings() -> Iterator[tuple[str, str]]:
    """Every module's, class's and function's qualified name and docstring."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if any(part in LEFT_OUT for part in relative.parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        parts = relative.with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if module.split(".")[0] in sys.stdlib_module_names:
            yield from _docstrings(tree, module)


def _docstrings(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        text = ast.get_docstring(node)
        if text:
            yield name, text
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings(child, f"{name}.{child.name}")
