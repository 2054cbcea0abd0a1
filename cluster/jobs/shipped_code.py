"""The code that travels with a job: encorpus's own packages as they are here, and nothing else."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from pipelines.version import encorpus_version

PACKAGES = ("pipelines", "serving", "cluster")
# cluster/deploy is no code, and may be filled in, with a token or keys beside it.
LEFT_OUT = ("__pycache__", "*.pyc", "deploy")


@contextmanager
def shipped_code() -> Iterator[Path]:
    """A folder with the packages, for as long as it takes to send it: a job's `working_dir`."""
    with tempfile.TemporaryDirectory(prefix="encorpus-code-") as name:
        folder = Path(name)
        for package in PACKAGES:
            shutil.copytree(_source(package), folder / package, ignore=shutil.ignore_patterns(*LEFT_OUT))
        _write_version(folder)
        yield folder


def _source(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations, package
    return Path(spec.submodule_search_locations[0])


def _write_version(folder: Path) -> None:
    """So that `importlib.metadata` knows there what was sent, whatever is installed beside it."""
    version = encorpus_version()
    about = folder / f"encorpus-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: encorpus\nVersion: {version}\n", encoding="utf-8")
