"""What kustomize makes of the overlays."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.deploy.files import KUBERNETES, documents


def built(overlay: Path) -> list[dict[str, Any]]:
    """The objects of an overlay. Skips the test where there is no kubectl."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl, which has kustomize, is not installed")
    done = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def built_with(overlay: Path, components: list[str], folder: Path) -> list[dict[str, Any]]:
    """The objects of an overlay to which components are added as its comment says. folder: an empty one, for a copy."""
    copy = folder / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    changed = copy / overlay.relative_to(KUBERNETES)
    lines = "".join(f"  - ../../ray_cluster/{name}\n" for name in components)
    kustomization = changed / "kustomization.yaml"
    text, times = re.subn(r"^components:.*\n", f"components:\n{lines}", kustomization.read_text(), flags=re.MULTILINE)
    assert times == 1, text
    kustomization.write_text(text)
    return built(changed)


def cluster_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The one Ray cluster among objects, whatever it is part of."""
    places = {"RayJob": "rayClusterSpec", "RayService": "rayClusterConfig"}
    specs = [one["spec"] for one in objects if one["kind"] == "RayCluster"]
    specs += [one["spec"][places[one["kind"]]] for one in objects if places.get(one["kind"]) in one.get("spec", {})]
    [spec] = specs
    return spec
