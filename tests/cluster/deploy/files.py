"""The files of cluster/deploy, and what stands in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "cluster" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
LAUNCHED = sorted(DEPLOY.glob("*/cluster.yaml"))
OVERLAYS = sorted(path.parent for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))


def all_files() -> list[Path]:
    """Every file of the room."""
    return sorted(path for path in DEPLOY.rglob("*") if path.is_file())


def documents(text: str) -> list[dict[str, Any]]:
    """The YAML documents of a text."""
    return [document for document in yaml.safe_load_all(text) if document]


def relative(path: Path) -> str:
    """How tests call a file."""
    return str(path.relative_to(DEPLOY))


def found(value: Any, key: str) -> Iterator[Any]:
    """Every value of a key, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from found(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from found(inner, key)
