"""A runtime is taken when it is asked for and right, or when it is right and the faster one; else the user is told."""

import functools
import itertools
import sys
import time

import numpy as np
import pytest

from pipelines.encoder import runtime_choice
from pipelines.encoder.calibration import Calibration
from pipelines.encoder.execution import Execution
from pipelines.encoder.openvino_runtime import OpenVinoRuntime
from pipelines.encoder.preprocessor_graphs import PreprocessorGraphs
from pipelines.encoder.runtime_choice import choose_runtime
from pipelines.encoder.saved_model import load_encoder
from pipelines.encoder.spec import EncoderSpec, resolve_spec
from pipelines.encoder.tensorflow_runtime import TensorFlowRuntime
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.encoder.tokenizer import Tokenizer
from pipelines.encoder.vector_function import VectorFunction
from pipelines.errors import RuntimeUnfitError, UsageError


@pytest.fixture(autouse=True)
def own_cache(cache):
    """This machine has not been calibrated."""
    return cache


def parts_of(model, precision="float32"):
    encoder = load_encoder(model)
    resolved = resolve_spec(EncoderSpec(str(model), pooling="mean", normalize=True, precision=precision))
    tokenizer = Tokenizer(PreprocessorGraphs.of(resolved, encoder.module), resolved.max_tokens)
    function = VectorFunction(encoder, resolved)
    return function, functools.cache(lambda: function.self_check(tokenizer))


@pytest.fixture(scope="module")
def parts(tiny_model):
    return parts_of(tiny_model)


@pytest.fixture(scope="module")
def encoders(tiny_model):
    """An encoder by each runtime."""
    spec = EncoderSpec(str(tiny_model), pooling="mean")
    return {name: TextEncoder.load(spec, threads=1, runtime=name) for name in ("tensorflow", "openvino")}


@pytest.fixture
def broken(monkeypatch):
    """OpenVINO whose vectors are a little off."""
    run = OpenVinoRuntime.__call__
    monkeypatch.setattr(OpenVinoRuntime, "__call__", lambda *given, **how: run(*given, **how) + np.float32(1e-3))


@pytest.fixture
def missing(monkeypatch):
    """No OpenVINO in this environment."""
    monkeypatch.setitem(sys.modules, "pipelines.encoder.openvino_conversion", None)


def fail_at(monkeypatch, kind, number, error):
    """The runtime's call of this number, from 1, raises."""
    run, calls = kind.__call__, itertools.count(1)

    def call(*given, **how):
        if (now := next(calls)) == number:
            raise error(f"call {now}")
        return run(*given, **how)

    monkeypatch.setattr(kind, "__call__", call)


def choice(parts, wanted, **options):
    return choose_runtime(Execution(wanted, threads=1, **options), *parts)


def chosen(parts, wanted, **options):
    return choice(parts, wanted, **options).runtime.name


@pytest.mark.parametrize("wanted", ["tensorflow", "openvino"])
def test_what_is_asked_for_is_taken(parts, wanted):
    assert chosen(parts, wanted) == wanted


@pytest.mark.parametrize("found", ["openvino", "tensorflow"])
def test_auto_takes_what_suits_the_machine(parts, monkeypatch, found):
    monkeypatch.setattr(runtime_choice, "calibrate", lambda *given: Calibration(found, 640, "1 ms"))
    taken = choice(parts, "auto")
    assert (taken.runtime.name, taken.reason, taken.token_budget) == (found, "1 ms", 640)


def test_auto_does_not_calibrate_twice(parts, monkeypatch):
    first = choice(parts, "auto")
    monkeypatch.setattr(runtime_choice, "calibrate", no_trial)
    again = choice(parts, "auto")
    assert (again.runtime.name, again.reason, again.token_budget) == (first.runtime.name, *first[1:])


def test_auto_calibrates_again_where_that_was_asked_for_since(parts, monkeypatch):
    choice(parts, "auto")
    monkeypatch.setattr(runtime_choice, "calibrate", lambda *given: Calibration("tensorflow", 512, "asked"))
    assert choice(parts, "auto", calibrated_since=time.time() + 60).reason == "asked"


def test_auto_tries_both(parts):
    assert chosen(parts, "auto") in ("tensorflow", "openvino")


def no_trial(*given):
    raise AssertionError("a trial")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_in_reduced_precision_auto_takes_openvino_without_a_trial(tiny_model, monkeypatch, precision):
    monkeypatch.setattr(runtime_choice, "calibrate", no_trial)
    assert chosen(parts_of(tiny_model, precision), "auto") == "openvino"


@pytest.mark.parametrize("runtime", ["tensorflow", "openvino"])
def test_a_further_output_goes_on_with_the_runtime_without_a_trial(encoders, monkeypatch, runtime):
    monkeypatch.setattr(runtime_choice, "calibrated", no_trial)
    assert encoders[runtime].giving("pooled").runtime == runtime


def test_a_further_output_that_openvino_gives_wrong_is_tensorflows_and_it_says_so(encoders, broken, caplog):
    assert encoders["openvino"].giving("pooled").runtime == "tensorflow"
    assert "vectors of test texts differ" in caplog.text


def test_auto_takes_tensorflow_where_there_is_a_gpu(parts):
    taken = choice(parts, "auto", gpu=True)
    assert (taken.runtime.name, taken.reason) == ("tensorflow", "there is a GPU")


def test_auto_takes_tensorflow_where_openvino_is_not_installed(parts, missing):
    taken = choice(parts, "auto")
    assert (taken.runtime.name, "not installed" in taken.reason) == ("tensorflow", True)


def test_auto_takes_tensorflow_where_openvinos_vectors_are_others_and_says_so(parts, broken, caplog):
    assert chosen(parts, "auto") == "tensorflow"
    assert "vectors of test texts differ" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError, TypeError])
@pytest.mark.parametrize("call", [1, 4])  # the first of the check, and the trial's
def test_auto_takes_tensorflow_where_openvino_fails_at_a_batch(parts, monkeypatch, caplog, error, call):
    fail_at(monkeypatch, OpenVinoRuntime, call, error)
    assert chosen(parts, "auto") == "tensorflow"
    assert "OpenVINO fails at a test batch" in caplog.text


def test_what_fails_in_tensorflow_is_not_put_down_to_openvino(parts, monkeypatch):
    fail_at(monkeypatch, TensorFlowRuntime, 1, RuntimeError)
    with pytest.raises(RuntimeError, match="call 1"):
        chosen(parts, "auto")


def test_openvino_that_is_not_installed_is_named_with_what_to_install(parts, missing):
    with pytest.raises(RuntimeUnfitError, match=r"pip install encorpus\[openvino\]"):
        chosen(parts, "openvino")


def test_openvino_whose_vectors_are_others_is_refused(parts, broken):
    with pytest.raises(RuntimeUnfitError, match=r"texts differ .* by 0\.0\d+ .*use --runtime tensorflow"):
        chosen(parts, "openvino")


def test_an_encoder_that_openvino_cannot_run_is_refused(parts, monkeypatch):
    def fail(*given):
        raise RuntimeError("no such operation")

    monkeypatch.setattr(OpenVinoRuntime, "__init__", fail)
    with pytest.raises(RuntimeUnfitError, match="OpenVINO cannot run this encoder: no such operation"):
        chosen(parts, "openvino")


def test_another_runtime_is_no_option():
    with pytest.raises(UsageError, match="--runtime onnx: one of auto, tensorflow, openvino"):
        Execution("onnx")
