"""`encorpus package` makes a model, `encorpus check` says what it is, and `embed` and `demo` follow its advice."""

import json
import re

import pytest

from pipelines.encoder.spec import EncoderSpec, resolve_spec
from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import content_of, write_parquet
from tests.tiny_model import LAYERS, POSITIONS, VOCABULARY, WIDTH, write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A sentence-transformers folder: mean pooling, vectors of length 1."""
    folder = write_checkpoint(tmp_path_factory.mktemp("source") / "checkpoint")
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds.items()]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Where the model goes."""
    return tmp_path_factory.mktemp("packaged") / "model"


@pytest.fixture(scope="module")
def packaged(checkpoint, model):
    """What `package` said."""
    return encorpus("package", checkpoint, "-o", model)


@pytest.fixture(scope="module")
def checked(packaged, model):
    """What `check` said."""
    return encorpus("check", model)


def test_package_says_what_came_out(packaged, model):
    assert (packaged.status, packaged.err) == (0, "")
    lines = packaged.out.splitlines()
    assert lines[0].startswith(f"{model}: bert, ")
    assert lines[1] == f"  {LAYERS} layers, {WIDTH} wide, 2 heads, {POSITIONS} positions"
    assert lines[2] == f"  {len(VOCABULARY)} tokens in the vocabulary, uncased"


def test_package_says_what_the_source_recommends(packaged):
    told = f"  recommended by the source: pooling mean, normalize true, max tokens {POSITIONS}"
    assert told in packaged.out.splitlines()


def test_package_says_when_the_source_recommends_nothing(tmp_path):
    finished = encorpus("package", write_checkpoint(tmp_path / "checkpoint"), "-o", tmp_path / "model")
    assert "  recommended by the source: nothing (pooling is then pooled, as published)" in finished.out.splitlines()


def test_package_says_what_to_do_next(packaged, model):
    assert packaged.out.splitlines()[-1] == f"use it: encorpus embed INPUT -o OUTPUT --model {model}"


def test_package_leaves_a_model_that_is_there_alone(packaged, checkpoint, model):
    before = content_of(model)
    again = encorpus("package", checkpoint, "-o", model)
    assert (again.status, again.out) == (2, "")
    assert again.told == f"encorpus package: {model} is there already: choose another folder, or delete it first"
    assert content_of(model) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("call", "dict in, dict out"),
        ("inputs", "input_word_ids, input_mask, input_type_ids: int32 [batch, length]"),
        (
            "outputs",
            f"pooled_output [batch, {WIDTH}], sequence_output [batch, length, {WIDTH}], "
            f"{LAYERS} layers of encoder_outputs",
        ),
        ("positions", str(POSITIONS)),
        ("default spec", f"pooling mean, normalize true, max tokens {POSITIONS}"),
    ],
)
def test_check_says_what_the_model_is(name, value, checked):
    assert f"  {name:<13} {value}" in checked.out.splitlines()


def test_check_tells_the_fingerprint_that_embed_uses(checked, model):
    fingerprint = resolve_spec(EncoderSpec(str(model))).fingerprint
    assert f"  fingerprint   {fingerprint}" in checked.out.splitlines()


def test_check_says_what_runs_it_here_and_why(checked):
    assert re.search(r"^  runtime here  (openvino|tensorflow): \S", checked.out, re.MULTILINE)


def test_check_is_content_with_an_encoder(checked, model):
    assert (checked.status, checked.err) == (0, "")
    lines = checked.out.splitlines()
    assert lines[0] == f"{model}: a text encoder"
    assert lines[-1] == f"encoded 3 test texts; use it with --model {model}"


def test_check_takes_a_model_without_advice_at_its_positions(tiny_model):
    assert (
        f"  default spec  pooling pooled, normalize false, max tokens {POSITIONS}" in encorpus("check", tiny_model).out
    )


def test_demo_embeds_verifies_and_searches_with_what_is_there(packaged, model, ray_session, tmp_path):
    folder = tmp_path / "demo"
    (folder / "corpus").mkdir(parents=True)
    (folder / "model").symlink_to(model)
    write_parquet(folder / "corpus" / "docstrings.parquet", ["a-0", "a-1", "a-2"])
    finished = encorpus("demo", folder)
    commands = [line.split()[2] for line in finished.out.splitlines() if line.startswith("$ encorpus ")]
    assert (finished.status, commands) == (0, ["embed", "verify", "search", "search", "search"])
    assert "nothing lost, doubled or damaged" in finished.out
