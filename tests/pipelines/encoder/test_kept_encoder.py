"""An encoder that OpenVINO runs is kept, and loaded without TensorFlow's Python; what is not as it was is not used."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from pipelines.encoder import encoder_folder, kept_encoder
from pipelines.encoder.encoder_folder import DESCRIPTION, GRAPHS, MODEL, TOKENS_DUE, VECTORS_DUE
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from tests.pipelines.encoder.fake_encoders import save_plain

TEXTS = ["the zip", "", "read and write " * 40, *(f"file {number}" for number in range(30))]


@pytest.fixture(scope="module")
def spec(tiny_model):
    return EncoderSpec(str(tiny_model), pooling="mean", max_tokens=24)


@pytest.fixture(scope="module")
def first_cache(no_gpu, spec, tmp_path_factory):
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


@pytest.fixture(scope="module", autouse=True)
def no_gpu():
    """Nor in the processes that a test starts, whatever this machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "-1")
        yield


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
    return encoder._parts.saved_models is not None


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


def test_a_process_may_load_tensorflow_after_it(kept, spec):
    """As a server does for an output that is asked for later."""
    program = f"""
import numpy as np
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
spec = EncoderSpec({spec.model!r}, pooling="mean", max_tokens=24)
encoder = TextEncoder.load(spec, threads=1, runtime="openvino")
first = encoder.encode(["the zip"])
assert encoder.giving("sequence").encode(["the zip"])[0].shape[0] == 4
reference = TextEncoder.load(spec, threads=1)
np.testing.assert_allclose(encoder.encode(["the zip"]), first, atol=1e-6)
np.testing.assert_allclose(reference.encode(["the zip"]), first, atol=1e-4)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_many_processes_at_once_keep_one(cache, spec):
    program = f"""
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
encoder = TextEncoder.load(EncoderSpec({spec.model!r}, pooling="mean", max_tokens=24), 1, runtime="openvino")
assert encoder.encode(["the zip"]).shape == (1, encoder.dimension)
"""
    processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len(kept_in(cache)) == 1


def test_another_length_of_tokens_is_had_from_the_same_graphs(kept, spec):
    encoder = load(spec)
    shorter = TextEncoder.load(EncoderSpec(spec.model, max_tokens=6), threads=1).resolved
    assert encoder.tokenizer_for(shorter)(["read and write " * 40]).lengths.tolist() == [6]


@pytest.mark.parametrize("file", [MODEL, "model.bin", f"{GRAPHS}/saved_model.pb", VECTORS_DUE, TOKENS_DUE])
def test_one_that_is_not_as_it_was_written_is_made_anew_and_it_says_so(kept, spec, caplog, file):
    """One bit in the middle of what no test text may come upon."""
    data = bytearray((kept / file).read_bytes())
    data[len(data) // 2] ^= 1
    (kept / file).write_bytes(data)
    assert by_tensorflow(load(spec))
    assert f"of no use, so TensorFlow loads the model: not as it was written: {file}" in caplog.text
    assert not by_tensorflow(load(spec))


@pytest.mark.parametrize("told", ["{", "{}", '{"files": {}, "facts": {"flop": [], "other": 1}}'])
def test_one_whose_description_is_damaged_is_made_anew(kept, spec, caplog, told):
    (kept / DESCRIPTION).write_text(told)
    assert by_tensorflow(load(spec))
    assert "encoder.json is damaged" in caplog.text
    assert not by_tensorflow(load(spec))


@pytest.mark.parametrize(("file", "array"), [(TOKENS_DUE, "arr_0"), (TOKENS_DUE, "arr_4"), (VECTORS_DUE, "due1")])
def test_one_whose_tokens_or_vectors_are_others_is_not_used(kept, spec, caplog, file, array):
    with np.load(kept / file) as arrays:
        given = dict(arrays)
    given[array] = given[array] + (1 if file == TOKENS_DUE else np.float32(1e-2))
    np.savez(kept / file, **given)
    told = json.loads((kept / DESCRIPTION).read_text())
    told["files"][file] = hashlib.sha256((kept / file).read_bytes()).hexdigest()
    (kept / DESCRIPTION).write_text(json.dumps(told))
    assert by_tensorflow(load(spec))
    assert ("tokens" if file == TOKENS_DUE else "vectors") + " of test texts" in caplog.text


def test_what_may_not_be_its_fault_does_not_remove_it(kept, spec, monkeypatch, caplog):
    def fail(*given):
        raise RuntimeError("no more threads")

    monkeypatch.setattr(encoder_folder, "_runtime", fail)
    assert by_tensorflow(load(spec))
    assert "cannot be loaded, so TensorFlow loads the model: no more threads" in caplog.text
    assert kept.is_dir()


def test_what_cannot_be_loaded_in_a_process_of_its_own_is_not_kept(cache, spec, monkeypatch, caplog):
    monkeypatch.setattr(encoder_folder, "TRIAL", "import os; os.abort()")
    load(spec)
    assert kept_in(cache) == []
    assert "a process that loads it ends with status -6" in caplog.text


def test_what_has_failed_once_is_not_tried_at_each_start(cache, spec, monkeypatch):
    monkeypatch.setattr(encoder_folder, "TRIAL", "raise SystemExit('no such operation')")
    load(spec)
    (failed,) = (cache / "encoders").glob("*.failed")
    assert "no such operation" in failed.read_text()
    monkeypatch.setattr(encoder_folder, "TRIAL", "")
    load(spec)
    assert kept_in(cache) == []


def test_a_trial_does_not_import_from_the_folder_that_the_user_is_in(cache, spec, monkeypatch, tmp_path):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "__init__.py").write_text("raise ImportError('of somebody else')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encoder_folder, "TRIAL", "import pipelines")
    load(spec)
    assert len(kept_in(cache)) == 1


def test_a_model_that_changes_while_it_is_loaded_is_not_kept(cache, spec, monkeypatch, caplog):
    monkeypatch.setattr(kept_encoder, "_fingerprint_now", lambda resolved: "0" * 64)
    load(spec)
    assert kept_in(cache) == []
    assert "not kept this time for a faster start: the model has changed" in caplog.text
    assert not list((cache / "encoders").glob("*.failed"))


def test_a_preprocessor_that_cannot_be_saved_again_is_used_and_not_kept(cache, spec, monkeypatch, caplog):
    def fail(*given):
        raise ValueError("untracked resource")

    monkeypatch.setattr("pipelines.encoder.preprocessor_graphs.PreprocessorGraphs.save", fail)
    assert len(load(spec).encode(TEXTS)) == len(TEXTS)
    assert kept_in(cache) == []
    assert "TensorFlow cannot save its preprocessor again: untracked resource" in caplog.text


def test_without_room_nothing_is_kept(cache, spec, monkeypatch, caplog):
    monkeypatch.setattr(kept_encoder, "ROOM", 1e12)
    load(spec)
    assert kept_in(cache) == []
    assert "free bytes, and there are" in caplog.text


def test_nobody_waits_for_another_process_that_keeps_the_same(kept, spec, monkeypatch):
    shutil.rmtree(kept)
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        load(spec)
    assert not kept.exists()


def test_where_there_may_be_a_gpu_tensorflow_is_asked(kept, spec, monkeypatch, tmp_path):
    (tmp_path / "version").touch()
    monkeypatch.setattr(kept_encoder, "GPU_DRIVERS", (tmp_path / "version",))
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
