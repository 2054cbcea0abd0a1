"""Folders and archives that look like SavedModels, for what is about files; nothing loads them."""

import pytest


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of this test's own."""
    monkeypatch.setenv("ENCORPUS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def saved_model(tmp_path):
    """A folder with the files of a SavedModel."""
    folder = tmp_path / "model"
    (folder / "assets").mkdir(parents=True)
    (folder / "variables").mkdir()
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(bytes(range(256)) * 16)
    (folder / "assets" / "vocab.txt").write_text("[PAD]\n")
    return folder
