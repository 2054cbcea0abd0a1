"""The spec is settled and checked before anything is loaded, and the fingerprint names what decides a vector."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict

import pytest

from pipelines.encoder.folder_digest import folder_digest
from pipelines.encoder.saved_model_file import fixed_length, sequence_width
from pipelines.encoder.spec import EncoderSpec, resolve_spec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.errors import ModelError, UsageError
from tests import tiny_model as tiny
from tests.pipelines.encoder.fake_encoders import NAMES, WIDTH, FakeEncoder, save, save_plain, specs
from tests.tiny_model import LAYERS, POSITIONS


@pytest.fixture
def model(tiny_model, tmp_path):
    """A copy of the tiny model, to change."""
    return shutil.copytree(tiny_model, tmp_path / "copy")


def recommend(model, **changes):
    path = model / "encorpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def fingerprint(model, **options):
    return resolve_spec(EncoderSpec(str(model), **options)).fingerprint


def test_resolving_imports_no_tensorflow(tiny_model):
    code = (
        "import sys; from pipelines.encoder.spec import EncoderSpec, resolve_spec; "
        "resolve_spec(EncoderSpec(sys.argv[1])); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tiny_model)], check=True)


def test_equal_content_and_options_have_equal_fingerprints_wherever_they_lie(tiny_model, model):
    assert fingerprint(tiny_model) == fingerprint(model)


OPTIONS = [
    {"pooling": "cls"},
    {"max_tokens": 9},
    {"dtype": "float16"},
    {"dtype": "binary"},
    {"normalize": True},
    {"chunk_tokens": 64},
    {"chunk_tokens": 64, "chunk_overlap": 1},
    {"chunk_tokens": 64, "chunk_pool": "mean"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_that_decides_a_vector_is_in_the_fingerprint(tiny_model, options):
    assert fingerprint(tiny_model) != fingerprint(tiny_model, **options)


@pytest.mark.parametrize(
    ("dtype", "encoded"), [("float32", "float32"), ("float16", "float16"), ("int8", "float32"), ("binary", "float32")]
)
def test_what_a_shard_quantises_the_encoder_gives_in_float32(dtype, encoded):
    assert EncoderSpec("model", dtype=dtype).encoded_dtype == encoded


def test_a_spec_read_back_from_json_is_as_the_one_written(tiny_model):
    spec = EncoderSpec(str(tiny_model), pooling="cls", layers=(-2, -1))
    again = EncoderSpec(**json.loads(json.dumps(asdict(spec))))
    assert (again, hash(again)) == (spec, hash(spec))


def test_the_order_of_layers_is_not_in_the_fingerprint(tiny_model):
    assert fingerprint(tiny_model, layers=(0, 1)) == fingerprint(tiny_model, layers=(1, 0))
    assert fingerprint(tiny_model, layers=(0, 1)) != fingerprint(tiny_model, layers=(0,))


@pytest.mark.parametrize("name", ["assets/.DS_Store", "variables/.nfs0001", "assets/.git/config", "notes.txt"])
def test_files_that_are_no_part_of_the_model_are_not_in_the_fingerprint(model, name):
    before = fingerprint(model)
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_text("anything")
    assert fingerprint(model) == before


@pytest.mark.parametrize("name", ["saved_model.pb", "assets/vocab.txt", "variables/variables.index", "assets/more"])
def test_files_of_the_model_are_in_the_fingerprint(model, name):
    before = folder_digest(model)
    (model / name).write_bytes(b"changed")
    assert folder_digest(model) != before


def test_a_file_that_cannot_be_read_is_named(model):
    # Reading the memory of this process from its beginning fails for everybody.
    (model / "variables" / "broken").symlink_to("/proc/self/mem")
    with pytest.raises(ModelError, match=f"^model {model}: cannot be read: Input/output error"):
        fingerprint(model)


def test_a_preprocessor_that_cannot_be_read_is_named(model):
    (model / "preprocess" / "saved_model.pb").unlink()
    (model / "preprocess" / "saved_model.pb").symlink_to("/proc/self/mem")
    with pytest.raises(ModelError, match=f"^model {model}: cannot be read: Input/output error"):
        fingerprint(model)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"max_tokens": "256"}, 'max_tokens is "256" where a number from 3 is needed'),
        ({"max_tokens": True}, "max_tokens is true where a number from 3 is needed"),
        ({"max_tokens": 2}, "max_tokens is 2 where"),
        ({"max_tokens": 9.5}, "max_tokens is 9.5 where"),
        ({"normalize": "no"}, 'normalize is "no" where true or false is needed'),
        ({"pooling": "average"}, 'pooling is "average" where one of pooled, cls, mean, max, sequence is needed'),
        ({"pooling": ["mean"]}, "pooling is"),
        ({"preprocessor": 5}, "preprocessor is 5 where the name of a folder is needed"),
        ({"layers": -1}, "layers is -1 where"),
    ],
)
def test_a_recommendation_that_cannot_be_is_refused(model, said, told):
    recommend(model, **said)
    with pytest.raises(ModelError) as refused:
        fingerprint(model)
    assert told in str(refused.value)
    assert str(refused.value).startswith(str(model / "encorpus.json"))


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff"])
def test_a_recommendation_that_is_no_json_object_is_refused(model, content):
    (model / "encorpus.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"encorpus\.json: not"):
        fingerprint(model)


def test_recommendations_are_followed_unless_told_otherwise(model):
    recommend(model, pooling="mean", normalize=True, max_tokens=20)
    resolved = resolve_spec(EncoderSpec(str(model)))
    assert (resolved.pooling, resolved.normalize, resolved.max_tokens) == ("mean", True, 20)
    resolved = resolve_spec(EncoderSpec(str(model), pooling="cls", normalize=False, max_tokens=10))
    assert (resolved.pooling, resolved.normalize, resolved.max_tokens) == ("cls", False, 10)


@pytest.mark.parametrize(
    ("quirks", "most"),
    [({}, 128), ({"positions": 512}, 128), ({"positions": 64}, 64), ({"length": 32}, 32), ({"length": 200}, 128)],
)
def test_texts_are_cut_where_the_snippet_cuts_them_or_where_the_model_ends(tiny_model, tmp_path, quirks, most):
    model = save_plain(tmp_path / "model", **quirks)
    resolved = resolve_spec(EncoderSpec(str(model), str(tiny_model / "preprocess"), pooling="mean"))
    assert resolved.max_tokens == most
    tokens = TextEncoder.load_resolved(resolved).tokenize(["the " * 500])
    assert tokens.lengths.tolist() == [most]


def test_the_only_length_of_a_list_model_is_found_too(tmp_path):
    encoder = FakeEncoder()
    given = [specs(length=32)[name] for name in NAMES]
    save(encoder, lambda inputs: list(encoder.encode(inputs[0]).values()), tmp_path / "model", ((given,), {}))
    assert fixed_length(tmp_path / "model") == 32


@pytest.mark.parametrize("kind", [dict, list, tuple])
def test_the_width_of_a_models_vectors_is_found_without_loading_it(tmp_path, kind):
    encoder = FakeEncoder(pooled_width=3)

    def call(inputs):
        outputs = encoder.encode(inputs["input_word_ids"])
        return outputs if kind is dict else kind(outputs.values())

    assert sequence_width(save(encoder, call, tmp_path / "model", ((specs(),), {}))) == WIDTH


def test_a_packaged_models_width_is_found_and_a_preprocessor_has_none(tiny_model):
    assert sequence_width(tiny_model) == tiny.WIDTH
    assert sequence_width(tiny_model / "preprocess") is None


@pytest.mark.parametrize("content", [b"", b"no protocol buffer", bytes(range(256)) * 9])
def test_a_file_that_is_no_model_tells_no_width(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    assert sequence_width(tmp_path) is None


def test_a_recommendation_beyond_the_positions_stops_at_them(model):
    recommend(model, max_tokens=500)
    assert resolve_spec(EncoderSpec(str(model))).max_tokens == POSITIONS


@pytest.mark.parametrize("quirks", [{"positions": 64}, {"length": 64}])
def test_more_tokens_than_the_model_takes_are_refused_before_it_is_loaded(tmp_path, quirks):
    model = save_plain(tmp_path / "model", **quirks)
    with pytest.raises(UsageError, match="--max-tokens 65: the model takes at most 64 tokens; ask for at most that"):
        resolve_spec(EncoderSpec(str(model), max_tokens=65))


@pytest.mark.parametrize("layers", [(LAYERS,), (0, -LAYERS - 1)])
def test_layers_that_a_packaged_model_has_not_are_refused_before_it_is_loaded(tiny_model, layers):
    with pytest.raises(
        UsageError, match=f"--layers {layers[-1]}: this model gives {LAYERS} encoder_outputs, 0 to 1 or"
    ):
        resolve_spec(EncoderSpec(str(tiny_model), layers=layers))


def test_layers_that_another_model_has_not_are_refused_when_it_is_loaded(tiny_model, tmp_path):
    model = save_plain(tmp_path / "model")
    resolved = resolve_spec(EncoderSpec(str(model), str(tiny_model / "preprocess"), layers=(0,)))
    with pytest.raises(UsageError, match="--layers: this model gives no encoder_outputs; leave out --layers"):
        TextEncoder.load_resolved(resolved)


def test_a_file_that_is_no_saved_model_settles_nothing_and_loading_it_says_so(saved_model):
    for content in (b"", b"graph", b"\xff" * 40, bytes(range(256))):
        (saved_model / "saved_model.pb").write_bytes(content)
        resolved = resolve_spec(EncoderSpec(str(saved_model)))
        assert resolved.max_tokens == 128
        with pytest.raises(ModelError):
            TextEncoder.load_resolved(resolved)
