"""What travels with a job runs by itself, is small, and is nothing else."""

import subprocess
import sys

import pytest

from cluster.jobs.shipped_code import PACKAGES, shipped_code
from pipelines.version import encorpus_version


@pytest.fixture(scope="module")
def folder():
    """What is sent."""
    with shipped_code() as code:
        yield code


def test_it_holds_the_packages_and_their_version(folder):
    assert {path.name for path in folder.iterdir()} == {*PACKAGES, f"encorpus-{encorpus_version()}.dist-info"}


def test_no_cache_travels(folder):
    assert not [path for path in folder.rglob("*") if path.suffix == ".pyc" or path.name == "__pycache__"]


def test_what_brings_clusters_up_stays_here(folder):
    assert not (folder / "cluster" / "deploy").exists()


def test_it_is_small(folder):
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 5_000_000


def test_files_that_are_no_code_travel_too(folder):
    assert list(folder.rglob("*.html")) and list(folder.rglob("*.json"))


def test_it_runs_where_it_lies_with_the_version_sent(folder):
    command = [sys.executable, "-m", "cluster.jobs.start", "--version"]
    done = subprocess.run(command, cwd=folder, env={"PATH": ""}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"encorpus {encorpus_version()}\n")


def test_nothing_is_left_here():
    with shipped_code() as code:
        pass
    assert not code.exists()
