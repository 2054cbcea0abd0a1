"""The cache folder: where the user says, else where caches belong, else a folder that no one else can fill."""

import os
import tempfile
from pathlib import Path

import pytest

from pipelines.cache_folder import cache_folder


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """A process without any of the variables, whose user id no password file knows."""
    for name in ("ENCORPUS_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2_000_000_001)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"ENCORPUS_CACHE": "/caches/mine", "XDG_CACHE_HOME": "/caches", "HOME": "/home/me"}, "/caches/mine"),
        ({"ENCORPUS_CACHE": "~/mine", "HOME": "/home/me"}, "/home/me/mine"),
        ({"XDG_CACHE_HOME": "/caches", "HOME": "/home/me"}, "/caches/encorpus"),
        ({"ENCORPUS_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/home/me"}, "/home/me/.cache/encorpus"),
    ],
)
def test_the_first_of_the_variables_that_is_set_decides(homeless, variables, folder):
    for name, value in variables.items():
        homeless.setenv(name, value)
    assert cache_folder() == Path(folder)


def test_a_user_without_a_home_has_a_temporary_folder_of_their_own(homeless, tmp_path):
    owned = os.geteuid()
    homeless.setattr("os.getuid", lambda: owned)
    homeless.setattr("os.path.expanduser", lambda path: path)
    assert cache_folder() == cache_folder() == tmp_path / f"encorpus-{owned}"
    assert cache_folder().stat().st_mode & 0o777 == 0o700


def test_a_temporary_folder_that_someone_else_made_is_not_used(homeless, tmp_path):
    theirs = tmp_path / "encorpus-2000000001"
    theirs.mkdir()
    assert cache_folder() != theirs
