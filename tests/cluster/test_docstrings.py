"""The demo's corpus: the standard library's docstrings, as sharded Parquet."""

import inspect
import json.decoder
import textwrap

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.docstrings import FILES, write_docstring_corpus


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the corpus goes; made with the folders above it."""
    return tmp_path_factory.mktemp("docstrings") / "deep" / "corpus"


@pytest.fixture(scope="module")
def written(folder):
    """How many rows were written."""
    return write_docstring_corpus(folder)


@pytest.fixture(scope="module")
def rows(folder, written):
    """The texts by name."""
    table = pa.concat_tables(pq.read_table(path) for path in sorted(folder.iterdir()))
    return dict(zip(table["name"].to_pylist(), table["text"].to_pylist(), strict=True))


def test_it_is_in_a_few_files_of_about_one_size(folder, written):
    sizes = [pq.read_metadata(path).num_rows for path in folder.iterdir()]
    assert len(sizes) == FILES
    assert sum(sizes) == written
    assert max(sizes) - min(sizes) <= FILES


def test_it_is_a_corpus_of_thousands_of_texts(written):
    assert written > 5000


def test_names_are_there_once(rows, written):
    assert len(rows) == written


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        ("json", json),
        ("json.decoder", json.decoder),
        ("json.decoder.JSONDecoder", json.decoder.JSONDecoder),
        ("json.decoder.JSONDecoder.decode", json.decoder.JSONDecoder.decode),
        ("textwrap.dedent", textwrap.dedent),
    ],
)
def test_modules_classes_and_functions_stand_under_their_names(name, thing, rows):
    assert rows[name] == inspect.getdoc(thing)


def test_no_text_is_empty(rows):
    assert all(text.strip() for text in rows.values())


@pytest.mark.parametrize("part", ["test", "tests", "idlelib", "pyarrow"])
def test_tests_and_third_parties_are_left_out(part, rows):
    assert not [name for name in rows if part in name.split(".")[:-1]]
