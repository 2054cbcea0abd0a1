"""OpenVINO gives the vectors that TensorFlow gives, for every kind of encoder, every pooling and every shape."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.encoder.openvino_conversion import openvino_runtime
from pipelines.encoder.saved_model import load_encoder
from pipelines.encoder.self_check import TOLERANCE, SelfCheck
from pipelines.encoder.spec import POOLINGS, EncoderSpec, resolve_spec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.encoder.vector_function import VectorFunction
from tests.pipelines.encoder.fake_encoders import FakeEncoder, save, save_plain, specs
from tests.pipelines.encoder.keras_encoder import save_keras_encoder
from tests.tiny_model import VOCABULARY

SHARED = Path(__file__).parents[4] / "shared" / "models"
TOKENS = 24


def list_encoder(folder: Path) -> Path:
    encoder = FakeEncoder()

    def call(inputs):
        outputs = encoder.encode(inputs[0])
        return [outputs["pooled_output"], outputs["sequence_output"]]

    return save(encoder, call, folder, (([specs()[name] for name in specs()],), {}))


@pytest.fixture(scope="module")
def encoders(tiny_model, tmp_path_factory):
    """Loaded encoders by kind."""
    folder = tmp_path_factory.mktemp("encoders")
    folders = {
        "packaged": tiny_model,
        "keras": save_keras_encoder(folder / "keras"),
        "shared weights": save_keras_encoder(folder / "shared", shared=True),
        "list": list_encoder(folder / "list"),
        "fixed length": save_plain(folder / "fixed", TOKENS),
        "positions": save_plain(folder / "positions", positions=TOKENS),
    }
    if SHARED.is_dir():
        folders["model garden"] = SHARED / "electra_tiny"
    return {kind: (path, load_encoder(path)) for kind, path in folders.items()}


def function_of(encoders, kind, **options):
    path, encoder = encoders[kind]
    return VectorFunction(encoder, resolve_spec(EncoderSpec(str(path), **{"max_tokens": TOKENS, **options})))


def worst_distance(runtime, function, batches):
    """Of the runtime's vectors to TensorFlow's."""
    reference = tf.function(function, input_signature=function.specs, autograph=False)
    return SelfCheck.of(reference, batches).worst_distance(runtime)


def batches(fixed=False):
    """Rows of 1 to 24 tokens: alone, padded, and many."""
    rng = np.random.default_rng(3)
    for rows, length in ((1, TOKENS), *(() if fixed else ((1, 1), (1, 7))), (5, TOKENS), (64, TOKENS)):
        lengths = rng.integers(1, length + 1, rows)
        lengths[0] = length
        mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
        yield rng.integers(5, len(VOCABULARY), (rows, length)).astype(np.int32) * mask, mask, np.zeros_like(mask)


KINDS = ["packaged", "keras", "shared weights", "list", "fixed length", "positions"]
KINDS += ["model garden"] if SHARED.is_dir() else []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_in_float32_the_vectors_are_tensorflows(encoders, kind, pooling):
    function = function_of(encoders, kind, pooling=pooling)
    runtime = openvino_runtime(function, threads=1)
    found = worst_distance(runtime, function, list(batches(kind == "fixed length")))
    assert found < TOLERANCE["float32"] / 10


@pytest.mark.parametrize("options", [{"layers": (0, -1), "pooling": "cls"}, {"normalize": True, "pooling": "mean"}])
def test_layers_and_normalisation_are_part_of_the_graph(encoders, options):
    function = function_of(encoders, "packaged", **options)
    runtime = openvino_runtime(function, threads=1)
    assert worst_distance(runtime, function, list(batches())) < TOLERANCE["float32"] / 10


@pytest.mark.parametrize("kind", ["packaged", "keras", "shared weights"])
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_in_reduced_precision_the_vectors_stay_near(encoders, kind, precision):
    function = function_of(encoders, kind, pooling="mean", normalize=True, precision=precision)
    runtime = openvino_runtime(function, threads=1)
    if runtime.precision != precision:
        pytest.skip(f"this CPU computes in {runtime.precision}")
    assert worst_distance(runtime, function, list(batches())) < TOLERANCE[precision]


def test_a_text_encoder_gives_the_same_vectors_and_fingerprint_with_both_runtimes(tiny_model):
    spec = EncoderSpec(str(tiny_model), pooling="mean")
    ours, theirs = (TextEncoder.load(spec, threads=1, runtime=name) for name in ("tensorflow", "openvino"))
    texts = ["the zip", "", "read and write " * 40, *(f"file {n}" for n in range(300))]
    np.testing.assert_allclose(theirs.encode(texts), ours.encode(texts), rtol=0, atol=1e-4)
    assert theirs.fingerprint == ours.fingerprint
    assert (ours.runtime, theirs.runtime) == ("tensorflow", "openvino")


def test_batches_are_cut_at_their_longest_text(tiny_model):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean"), threads=1, runtime="openvino")
    stats = encoder.encode_tokens(encoder.tokenize(["the zip"])).stats
    assert (stats.tokens, stats.padded_tokens) == (4, 4)


@pytest.mark.parametrize("pooling", ["mean", "sequence"])
def test_a_batch_of_rows_of_all_lengths_is_encoded_as_with_tensorflow(tiny_model, pooling):
    """One of its rows has no tokens at all, as what was cancelled has none."""
    spec = EncoderSpec(str(tiny_model), pooling=pooling)
    ours, theirs = (TextEncoder.load(spec, threads=1, runtime=name) for name in ("tensorflow", "openvino"))
    tokens = theirs.tokenize(["read and write " * 40, "the zip", *(f"file {n} " * n for n in range(12))])
    batch = [
        np.concatenate([array, np.zeros_like(array[:1])]) for array in (tokens.word_ids, tokens.mask, tokens.type_ids)
    ]
    due, got = ours.encode_batch(*batch)[:-1], theirs.encode_batch(*batch)[:-1]
    shown = batch[1][:-1] > 0 if pooling == "sequence" else slice(None)
    np.testing.assert_allclose(got[shown], due[shown], rtol=0, atol=1e-4)
