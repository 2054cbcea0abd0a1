"""What an input holds is told of a URI alone, as a listing finds it."""

from pathlib import Path

import fsspec
import pytest

from pipelines.corpus.inputs import holds, list_inputs
from pipelines.errors import UsageError
from pipelines.storage import Storage

STORAGE = Storage()
NAMES = (
    *("a.txt", "b.jsonl", "d/a.txt", "d/e/f.txt", "d/e/_g.txt", "_h/a.txt"),
    *("x1/y/z.txt", "x1/.k.txt", "da/a.txt", "[q].txt"),
)
INPUTS = (
    *("", "/", "/d", "/d/", "/a.txt", "/nothing", "/_h", "/*", "/*.txt", "/d*", "/**", "/**/*.txt", "/**/a.txt"),
    *("/d/**/f.txt", "/*/*/*.txt", "/?1", "/x[0-9]/y", "/[!d]*/**/*.txt", "/[q].txt", "/d/e/_*", "/*/"),
)


@pytest.fixture(params=["local", "memory"])
def corpus(request, tmp_path: Path) -> str:
    """The URI of a folder with the files."""
    fsspec.filesystem("memory").store.clear()
    uri = str(tmp_path) if request.param == "local" else "memory:///corpus"
    for name in NAMES:
        STORAGE.write_atomic(f"{uri}/{name}", b"")
    return uri


def listed(given: str) -> list[str]:
    """The URIs of the files that an input holds."""
    try:
        return sorted(entry.uri for entry in list_inputs([given], STORAGE).values())
    except UsageError:
        return []


@pytest.mark.parametrize("given", INPUTS)
def test_an_input_holds_what_its_listing_finds(corpus: str, given: str):
    told = [uri for name in NAMES if holds(corpus + given, uri := f"{corpus}/{name}")]
    assert sorted(told) == listed(corpus + given)


def test_links_lead_to_what_an_input_holds(tmp_path: Path):
    (tmp_path / "data" / "inner").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "other").symlink_to(tmp_path / "other")
    assert holds(f"{tmp_path}/data", f"{tmp_path}/link/vectors/part.parquet")
    assert holds(f"{tmp_path}/link/**/*.parquet", f"{tmp_path}/data/vectors/part.parquet")
    assert holds(f"{tmp_path}/data", f"{tmp_path}/data/other/part.parquet")
    assert not holds(f"{tmp_path}/data/inner", f"{tmp_path}/link/part.parquet")
