"""What is wrong with a `--config` file is one line that names the file or the option, and status 2."""

import pytest

from cluster.arguments import parse
from tests.cluster.command_line import encorpus


def refusal(path, command="embed"):
    """The one line on standard error."""
    finished = encorpus(command, "corpus", "--config", path)
    assert (finished.status, finished.out) == (2, "")
    return finished.told


@pytest.fixture
def config(tmp_path):
    """Writes a configuration file and gives its path."""

    def write(content):
        path = tmp_path / "job.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_no_such_file(tmp_path):
    path = tmp_path / "job.toml"
    assert refusal(path) == f"encorpus: --config {path}: No such file or directory"


def test_a_folder(tmp_path):
    assert refusal(tmp_path) == f"encorpus: --config {tmp_path}: Is a directory"


@pytest.mark.parametrize(
    "content",
    ["model = ", "model", "model = 'a'\nmodel = 'b'", '{"model": "m"}', b'model = "\xff"', "model: m"],
    ids=["no value", "no equals sign", "twice", "JSON", "not UTF-8", "YAML"],
)
def test_no_toml(content, config):
    path = config(content)
    assert refusal(path).startswith(f"encorpus: --config {path}: not a TOML file: ")


@pytest.mark.parametrize("command", ["embed", "plan"])
@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("colour = 'red'", "colour"),
        ("maxtokens = 64", "maxtokens"),
        ("MODEL = 'm'", "MODEL"),
        ("inputs = ['corpus']", "inputs"),
        ("config = 'other.toml'", "config"),
        ("help = true", "help"),
        ("[embed]\nmodel = 'm'", "embed"),
    ],
)
def test_an_unknown_name(command, content, name, config):
    path = config(content)
    told = f"encorpus: --config {path}: no option '{name}'; see `encorpus {command} --help`"
    assert refusal(path, command) == told


@pytest.mark.parametrize(
    ("content", "option"),
    [
        ("normalize = 'yes'", "normalize"),
        ("normalize = 1", "normalize"),
        ("storage-option = 'key=value'", "storage-option"),
        ("storage-option = ['key=value']", "storage-option"),
        ("shard-rows = 'many'", "shard-rows"),
        ("shard-rows = 0", "shard-rows"),
        ("shard-rows = 1.5", "shard-rows"),
        ("shard-rows = true", "shard-rows"),
        ("shard-rows = [1, 2]", "shard-rows"),
        ("max-tokens = -1", "max-tokens"),
        ("max-tokens = true", "max-tokens"),
        ("workers = '4:2'", "workers"),
        ("workers = [1, 2]", "workers"),
        ("gpus-per-worker = true", "gpus-per-worker"),
        ("gpus-per-worker = -1", "gpus-per-worker"),
        ("layers = 'last'", "layers"),
        ("layers = [0.5]", "layers"),
        ("keep = ['title', '']", "keep"),
        ("keep = ['title,url']", "keep"),
        ("keep = {title = 1}", "keep"),
        ("output = true", "output"),
        ("output = 2020-01-01", "output"),
        ("text-column = ['a', 'b']", "text-column"),
        ("text-column = 5", "text-column"),
        ("model = ['a']", "model"),
        ("pooling = 'sum'", "pooling"),
        ("pooling = ['mean', 'max']", "pooling"),
        ("dtype = 16", "dtype"),
        ("precision = 'half'", "precision"),
        ("on-bad-row = false", "on-bad-row"),
    ],
)
def test_a_wrong_value(content, option, config):
    path = config(content)
    assert refusal(path).startswith(f"encorpus: --config {path}: {option}")


@pytest.mark.parametrize("option", ["keep", "layers"])
def test_an_empty_list_is_as_nothing_said(option, config):
    arguments = parse(["embed", "corpus", "--config", str(config(f"{option} = []"))])
    assert getattr(arguments, option) == ()


def test_a_url_of_a_cluster_that_is_none(config):
    told = refusal(config('cluster = "http://[::1:8265"'), "submit")
    assert "'http://[::1:8265' is not the URL of a Jobs API" in told
