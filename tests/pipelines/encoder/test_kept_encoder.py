"""An encoder that OpenVINO runs is kept, and loaded without TensorFlow's Python; what is not as it was is not used."""

import fcntl
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from pipelines.encoder import encoder_folder, kept_encoder
from pipelines.encoder.encoder_folder import CHECK, DESCRIPTION, MODEL, TOKENS
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from tests.pipelines.encoder.fake_encoders import save_plain

TEXTS = ["the zip", "", "read and write " * 40, *(f"file {number}" for number in range(30))]


@pytest.fixture(scope="module")
def spec(tiny_model):
    return EncoderSpec(str(tiny_model), pooling="mean", max_tokens=24)


@pytest.fixture(scope="module")
def first_cache(spec, tmp_path_factory):
    """A cache folder in which an encoder was kept."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENCORPUS_CACHE", str(folder))
        load(spec)
    return folder


@pytest.fixture(autouse=True)
def untried(monkeypatch):
    """Trials take seconds; the first encoder of this module has had its own."""
    monkeypatch.setattr(encoder_folder, "TRIAL", "")


@pytest.fixture
def kept(cache, first_cache):
    """The folder of the kept encoder, in a cache of this test's own."""
    shutil.copytree(first_cache, cache)
    (folder,) = kept_in(cache)
    return folder


def load(spec, runtime="openvino", **options):
    return TextEncoder.load(spec, threads=1, runtime=runtime, **options)


def kept_in(cache):
    return [path for path in (cache / "encoders").iterdir() if path.is_dir()]


def by_tensorflow(encoder):
    return encoder._parts.loaded is not None


def test_it_is_loaded_without_tensorflow(kept, spec):
    assert not by_tensorflow(load(spec))


def test_a_process_that_loads_it_does_not_import_tensorflow(kept, spec):
    program = f"""
import sys
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
encoder = TextEncoder.load(EncoderSpec({spec.model!r}, pooling="mean", max_tokens=24), threads=1, runtime="openvino")
assert encoder.encode(["the zip"]).shape == (1, encoder.dimension)
sys.exit("tensorflow" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_it_gives_the_same_tokens_vectors_and_facts(kept, spec):
    due, got = load(spec, "tensorflow"), load(spec)
    np.testing.assert_allclose(got.encode(TEXTS), due.encode(TEXTS), rtol=0, atol=1e-4)
    assert got.facts == due.facts
    assert (got.fingerprint, got.dimension) == (due.fingerprint, due.dimension)


@pytest.mark.parametrize("options", [{"pooling": "sequence"}, {"pooling": "pooled"}, {"chunk_tokens": 8}])
def test_every_kind_of_output_is_kept(cache, tiny_model, options):
    spec = EncoderSpec(str(tiny_model), **options)
    due, got = load(spec), load(spec)
    assert (by_tensorflow(due), by_tensorflow(got)) == (True, False)
    for theirs, ours in zip(due.encode_documents(TEXTS), got.encode_documents(TEXTS), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_an_encoder_of_a_fixed_length_is_kept(cache, tiny_model, tmp_path):
    spec = EncoderSpec(str(save_plain(tmp_path / "fixed", 24)), str(tiny_model / "preprocess"), max_tokens=24)
    due, got = load(spec), load(spec)
    assert (by_tensorflow(got), got.ladder) == (False, (24,))
    np.testing.assert_allclose(got.encode(TEXTS), due.encode(TEXTS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("other", [{"max_tokens": 20}, {"pooling": "cls"}, {"normalize": True}])
def test_another_spec_has_an_encoder_of_its_own(kept, tiny_model, other):
    assert by_tensorflow(load(EncoderSpec(str(tiny_model), **{"pooling": "mean", "max_tokens": 24, **other})))


def test_tensorflow_that_is_asked_for_is_tensorflow(kept, spec):
    assert by_tensorflow(load(spec, "tensorflow"))


def test_auto_loads_it_once_the_machine_is_calibrated_to_openvino(kept, spec):
    first = load(spec, "auto")
    assert by_tensorflow(first)
    again = load(spec, "auto")
    assert by_tensorflow(again) == (first.runtime == "tensorflow")
    assert (again.runtime, again.runtime_reason, again.token_budget) == (
        first.runtime,
        first.runtime_reason,
        first.token_budget,
    )


def test_a_further_output_of_it_is_kept_as_well(kept, spec):
    first, again = load(spec).giving("sequence"), load(spec).giving("sequence")
    assert (by_tensorflow(first), by_tensorflow(again)) == (True, False)
    assert again.runtime == "openvino"


def test_another_length_of_tokens_is_had_from_the_same_graphs(kept, spec):
    encoder = load(spec)
    shorter = TextEncoder.load(EncoderSpec(spec.model, max_tokens=6), threads=1).resolved
    assert encoder.tokenizer_for(shorter)(["read and write " * 40]).lengths.tolist() == [6]


@pytest.mark.parametrize("file", [MODEL, "model.bin", f"{TOKENS}/saved_model.pb", CHECK, DESCRIPTION])
def test_a_damaged_one_is_made_anew_and_it_says_so(kept, spec, caplog, file):
    path = kept / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert by_tensorflow(load(spec))
    assert "of no use, so it is removed, and TensorFlow loads the model" in caplog.text
    assert not by_tensorflow(load(spec))


@pytest.mark.parametrize("changed", ["batch1", "due1"])
def test_one_whose_tokens_or_vectors_are_others_is_not_used(kept, spec, caplog, changed):
    with np.load(kept / CHECK) as arrays:
        given = dict(arrays)
    given[changed] = given[changed] + (1 if changed == "batch1" else np.float32(1e-2))
    np.savez(kept / CHECK, **given)
    assert by_tensorflow(load(spec))
    assert ("tokens" if changed == "batch1" else "vectors") + " of test texts" in caplog.text


def test_what_cannot_be_loaded_in_a_process_of_its_own_is_not_kept(cache, spec, monkeypatch, caplog):
    monkeypatch.setattr(encoder_folder, "TRIAL", "import os; os.abort()")
    load(spec)
    assert kept_in(cache) == []
    assert "a process that loads it ends with status -6" in caplog.text


def test_a_preprocessor_that_cannot_be_saved_again_is_used_and_not_kept(cache, spec, monkeypatch, caplog):
    def fail(*given):
        raise ValueError("untracked resource")

    monkeypatch.setattr("pipelines.encoder.preprocessor_graphs.PreprocessorGraphs.save", fail)
    assert len(load(spec).encode(TEXTS)) == len(TEXTS)
    assert kept_in(cache) == []
    assert "cannot be kept for a faster start: untracked resource" in caplog.text


def test_without_room_nothing_is_kept(cache, spec, monkeypatch, caplog):
    monkeypatch.setattr(kept_encoder, "ROOM", 1e12)
    load(spec)
    assert kept_in(cache) == []
    assert "free bytes it would need" in caplog.text


def test_nobody_waits_for_another_process_that_keeps_the_same(kept, spec, monkeypatch):
    shutil.rmtree(kept)
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        load(spec)
    assert not kept.exists()


def test_where_there_may_be_a_gpu_tensorflow_is_asked(kept, spec, monkeypatch, tmp_path):
    (tmp_path / "version").touch()
    monkeypatch.setattr(kept_encoder, "NVIDIA_DRIVER", tmp_path / "version")
    monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", "0")
    assert by_tensorflow(load(spec))
    monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", "")
    assert not by_tensorflow(load(spec))


def test_other_code_and_other_versions_keep_their_own(kept, spec, monkeypatch):
    monkeypatch.setattr(kept_encoder, "package_version", lambda package: "0")
    assert by_tensorflow(load(spec))
    assert len(kept_in(kept.parents[1])) == 2


def test_its_description_names_what_it_is_of(kept):
    told = json.loads((kept / DESCRIPTION).read_text())
    assert (told["precision"], told["max_tokens"]) == ("float32", 24)
