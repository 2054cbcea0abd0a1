"""The recipes of docs/readers.md, run as they stand there."""

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "readers.md"
BLOCK = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def recipes() -> dict[str, str]:
    """The page's code, by the word after `python` at the head of each block."""
    return dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))


def run(name: str, **given: object) -> dict[str, Any]:
    """Runs a recipe with these names defined; gives all names that it leaves."""
    names: dict[str, Any] = dict(given)
    exec(compile(recipes()[name], f"{PAGE.name}:{name}", "exec"), names)
    return names
