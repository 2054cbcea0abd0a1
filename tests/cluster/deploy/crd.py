"""Objects against KubeRay's definitions, stricter than Kubernetes, which drops what it does not know without a word."""

import functools
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.cluster.deploy.files import ROOT

DEFINITIONS = ROOT.parent / "shared" / "kuberay"
NAMES = {"RayCluster": "rayclusters", "RayJob": "rayjobs", "RayService": "rayservices"}


def require_valid(document: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError; skips the test where the definitions are not at hand."""
    _validator(document["kind"]).validate(document)


@functools.cache
def _validator(kind: str) -> Any:
    path = DEFINITIONS / f"ray.io_{NAMES[kind]}.yaml"
    if not path.exists():
        pytest.skip(f"KubeRay's definitions are not at {DEFINITIONS}")
    [version] = [one for one in _read(path)["spec"]["versions"] if one["name"] == "v1"]
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {"type": "object"}
    schema["properties"]["apiVersion"] = {"const": "ray.io/v1"}
    return jsonschema.Draft202012Validator(_strict(schema))


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _strict(schema: Any) -> Any:
    """A JSON schema of an OpenAPI one. Where fields are named there are no others."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        strict.pop("type", None)
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict
