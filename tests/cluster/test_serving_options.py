"""What `serve` is asked for: models by names, keys wherever strangers can ask, replicas."""

import hashlib
import json
import shutil

import pytest

from cluster.arguments import parse
from cluster.serving_options import default_name, is_loopback, replicas_of, require_vectors, serving_of
from pipelines.encoder.spec import EncoderSpec
from pipelines.errors import UsageError
from pipelines.job.pool_size import PoolSize
from serving.http.api_keys import ApiKey
from serving.settings import Serving

KEYS = f'[keys.search]\nsha256 = "{hashlib.sha256(b"secret").hexdigest()}"\n'


def serving(*words: str):
    return serving_of(parse(["serve", *words]))


@pytest.fixture(autouse=True)
def no_keys_in_the_environment(monkeypatch):
    monkeypatch.delenv("ENCORPUS_API_KEYS", raising=False)


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(KEYS)
    return path


@pytest.mark.parametrize(
    ("handle", "name"),
    [
        ("https://tfhub.dev/google/electra_large/2", "electra_large"),
        ("https://www.kaggle.com/models/google/electra/tensorFlow2/large/2?raw=1", "large"),
        ("s3://models/minilm.tar.gz", "minilm"),
        ("models/my model/", "my-model"),
        ("/", "model"),
        ("2", "2"),
    ],
)
def test_a_model_is_called_by_the_last_part_of_its_handle_that_is_no_version(handle, name):
    assert default_name(handle) == name


def test_each_model_has_the_options_and_a_name_of_its_own():
    models = serving("--model", "a/minilm", "--model", "big=a/electra", "--pooling", "mean").models
    assert models == {
        "minilm": EncoderSpec("a/minilm", pooling="mean"),
        "big": EncoderSpec("a/electra", pooling="mean"),
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--model is missing"),
        (
            ("--model", "a/x", "--model", "b/x"),
            "--model b/x: there is a model called x already; name it: --model NAME=b/x",
        ),
        (("--model", "m", "--pooling", "sequence"), "--pooling sequence: no vector a text"),
        (("--model", "m", "--host", "0.0.0.0"), "--host 0.0.0.0: others reach it, and it would answer everybody"),
        (("--model", "m", "--address", "auto"), "on a cluster: others reach it, and it would answer everybody"),
        (("--model", "m", "--api-keys", "nowhere.toml"), "nowhere.toml: cannot read the API keys"),
        (("--model", "a b=m"), "argument --model: 'a b' is no name for a model"),
        (("--model", "name="), "argument --model: 'name=' names no model"),
        (("--model", "m", "--port", "70000"), "argument --port: '70000' is no port"),
        (("--model", "m", "--replicas", "0"), "argument --replicas: '0' is not a whole number from 1"),
        (("--model", "m", "--batch-floor", "1"), "argument --batch-floor: '1' is not a share: from 0 to below 1"),
        (("--model", "m", "--batch-floor", "nan"), "argument --batch-floor: 'nan' is not a number from 0"),
        (("--model", "m", "--replicas", "0:0"), "argument --replicas: '0' is not a whole number from 1"),
        (("--model", "m", "--no-auth", "--api-keys", "x"), "argument --api-keys: not allowed with argument --no-auth"),
    ],
)
def test_what_cannot_be_served_is_refused(words, told):
    with pytest.raises(UsageError, match=r"^") as refused:
        serving(*words)
    assert told in str(refused.value)


def test_a_model_that_recommends_no_vector_a_text_needs_another_pooling(tiny_model, tmp_path):
    model = shutil.copytree(tiny_model, tmp_path / "tokens")
    recommended = json.loads((model / "encorpus.json").read_text()) | {"pooling": "sequence"}
    (model / "encorpus.json").write_text(json.dumps(recommended))
    with pytest.raises(UsageError, match="recommends --pooling sequence: no vector a text; give another --pooling"):
        require_vectors(serving("--model", str(model)))
    require_vectors(serving("--model", str(model), "--pooling", "mean"))


def test_a_cluster_may_start_nodes_with_gpus_later(ray_session):
    words = ("serve", "--address", "auto", "--replicas", "1:2", "--gpus-per-replica", "1")
    assert replicas_of(parse(words)) == PoolSize(1, 2, cpus_per_worker=1, gpus_per_worker=1)


@pytest.mark.parametrize(
    "more", [("--replicas", "1"), ("--address", "auto")], ids=["on this machine", "as many as fit"]
)
def test_gpus_that_no_node_has_are_refused_where_the_nodes_decide(ray_session, more):
    with pytest.raises(UsageError, match="--gpus-per-replica 1: Ray sees no node with more than 0 GPUs"):
        replicas_of(parse(["serve", "--gpus-per-replica", "1", *more]))


def test_an_equals_sign_in_an_address_is_no_name():
    assert list(serving("--model", "https://models.example/a?b=c").models) == ["a"]


def test_keys_come_from_a_file_or_a_variable(key_file, monkeypatch):
    public = ("--model", "m", "--host", "0.0.0.0")
    assert serving(*public, "--api-keys", str(key_file)).keys == key_file
    monkeypatch.setenv("ENCORPUS_API_KEYS", "one, two")
    sums = [hashlib.sha256(key).hexdigest() for key in (b"one", b"two")]
    assert serving(*public).keys == (ApiKey("key-1", sums[0]), ApiKey("key-2", sums[1]))
    assert serving(*public, "--no-auth").keys is None


def test_the_batch_lanes_share_is_a_twentieth_unless_told(tmp_path):
    config = tmp_path / "serve.toml"
    config.write_text("batch-floor = 0.25\n")
    assert serving("--model", "m").batch_floor == Serving({}).batch_floor == 0.05
    assert serving("--model", "m", "--batch-floor", "0").batch_floor == 0
    assert serving("--model", "m", "--config", str(config)).batch_floor == 0.25


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_only_this_machine_reaches_a_loopback_address(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_others_reach_any_other_address(host):
    assert not is_loopback(host)


def test_the_command_line_takes_the_place_of_the_models_in_a_file(tmp_path):
    config = tmp_path / "serve.toml"
    config.write_text('model = ["a=first", "b=second"]\nreplicas = "0:4"\nno-auth = true\n')
    arguments = parse(["serve", "--config", str(config)])
    assert (arguments.model, arguments.replicas, arguments.no_auth) == ([("a", "first"), ("b", "second")], (0, 4), True)
    arguments = parse(["serve", "--config", str(config), "--model", "third", "--model", "d=fourth"])
    assert arguments.model == [(None, "third"), ("d", "fourth")]


def test_a_file_for_serve_has_no_options_of_embed(tmp_path):
    config = tmp_path / "serve.toml"
    config.write_text("shard-rows = 5\n")
    with pytest.raises(UsageError, match=r"no option 'shard-rows'; see `encorpus serve --help`"):
        parse(["serve", "--config", str(config)])
