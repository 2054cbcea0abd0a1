"""A preprocessor's graphs give TensorFlow's tokens for every text, when its C library runs them from a folder."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.encoder.bert_preprocessor import BertPreprocessor
from pipelines.encoder.preprocessor_graphs import PreprocessorGraphs
from pipelines.encoder.saved_token_graphs import DESCRIPTION, SavedTokenGraphs
from pipelines.encoder.tensorflow_library import TensorFlowLibraryError
from tests.pipelines.encoder.test_placed_tokens import NASTY

TEXTS = st.lists(
    st.lists(st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"])))).map("".join),
    max_size=6,
)


@pytest.fixture(scope="module")
def graphs(tiny_model):
    vocabulary = next((tiny_model / "preprocess" / "assets").iterdir())
    return PreprocessorGraphs(BertPreprocessor(str(vocabulary), do_lower_case=True), 8, "the tests' own")


@pytest.fixture(scope="module")
def folder(graphs, tmp_path_factory):
    graphs.save(folder := tmp_path_factory.mktemp("graphs") / "tokens")
    return folder


@pytest.fixture(scope="module")
def saved(folder):
    return SavedTokenGraphs(folder, threads=1)


@settings(deadline=None)
@given(texts=TEXTS, max_tokens=st.integers(3, 40))
def test_texts_have_tensorflows_tokens(graphs, saved, texts, max_tokens):
    encoded = [text.encode() for text in texts]
    due, due_counts = graphs.of_texts(encoded, max_tokens)
    got, counts = saved.of_texts(encoded, max_tokens)
    np.testing.assert_array_equal(np.stack(got), np.stack(due))
    np.testing.assert_array_equal(counts, due_counts)


@settings(deadline=None)
@given(texts=TEXTS, max_tokens=st.integers(3, 40))
def test_uncut_ids_are_tensorflows_and_are_packed_as_by_it(graphs, saved, texts, max_tokens):
    due, got = (each.ids([text.encode() for text in texts]) for each in (graphs, saved))
    for theirs, ours in zip(due, got, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(np.stack(saved.pack(*got, max_tokens)), np.stack(graphs.pack(*due, max_tokens)))


def test_many_threads_get_each_their_own_tokens(saved):
    """While another thread runs Python all the time."""
    ended = threading.Event()

    def run_python() -> None:
        while not ended.is_set():
            pass

    busy = threading.Thread(target=run_python)
    busy.start()
    texts = [[f"file {number} read ".encode() * number] for number in range(1, 60)]
    try:
        with ThreadPoolExecutor(8) as threads:
            got = list(threads.map(lambda text: saved.of_texts(text, 40)[0][0].tolist(), texts * 5))
    finally:
        ended.set()
        busy.join()
    assert got == [saved.of_texts(text, 40)[0][0].tolist() for text in texts] * 5


def test_the_size_of_the_vocabulary_is_kept(graphs, saved):
    assert saved.vocabulary == graphs.vocabulary


def test_many_calls_leave_nothing_in_memory(folder):
    """In a process of its own, after as many calls as fill what the library keeps."""
    program = f"""
import resource
from pathlib import Path
from pipelines.encoder.saved_token_graphs import SavedTokenGraphs
saved = SavedTokenGraphs(Path({str(folder)!r}), 1)
texts = [b"x" * 400] * 1000
def peak_after(calls):
    for _ in range(calls):
        saved.of_texts(texts, 64)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak_after(20)
print(peak_after(100) - before)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(told) < 20_000  # kB; the texts are 32 MB, and what is given for them 60


def test_what_fails_in_the_graph_says_why(saved):
    with pytest.raises(TensorFlowLibraryError, match="do not form a valid RaggedTensor"):
        saved.pack(np.arange(3, dtype=np.int32), np.array([7], np.int32), 8)


def test_a_folder_that_is_none_says_so(tmp_path, folder):
    (tmp_path / DESCRIPTION).write_bytes((folder / DESCRIPTION).read_bytes())
    with pytest.raises(TensorFlowLibraryError, match="Could not find SavedModel"):
        SavedTokenGraphs(tmp_path, 1)


def test_a_tensor_that_is_not_in_the_graph_is_named(folder, tmp_path):
    told = json.loads((folder / DESCRIPTION).read_text())
    told["signatures"]["ids"]["inputs"]["texts"] = "elsewhere:0"
    other = tmp_path / "tokens"
    other.mkdir()
    for path in folder.iterdir():
        (other / path.name).symlink_to(path)
    (other / DESCRIPTION).unlink()
    (other / DESCRIPTION).write_text(json.dumps(told))
    with pytest.raises(TensorFlowLibraryError, match="no operation elsewhere"):
        SavedTokenGraphs(other, 1)
