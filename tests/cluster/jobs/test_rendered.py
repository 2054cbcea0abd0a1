"""Options as words again: whatever a command line or a file says, the job's command line says the same."""

import argparse
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.arguments import parse, parser_of
from cluster.jobs.rendered import rendered
from pipelines.encoder.spec import CHUNK_POOLS, DTYPES, POOLINGS, PRECISIONS
from pipelines.errors import UsageError

texts = st.text(st.characters(codec="utf-8"), max_size=12)
names = texts.map(lambda text: text.replace(",", "").strip()).filter(bool)
counts = st.integers(1, 10**9).map(str)
numbers = st.floats(0, allow_infinity=False).map(repr)
tables = st.dictionaries(texts, st.booleans() | st.integers() | texts, max_size=3).map(json.dumps)
pairs = st.tuples(texts.map(lambda key: key.replace("=", "")).filter(bool), texts | tables | st.just("true")).filter(
    lambda pair: not pair[1].startswith("{") or pair[1].endswith("}")
)


def is_json(value):
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def option(name, values):
    return values.map(lambda value: [f"{name}={value}"])


def switch(name):
    return st.sampled_from([[f"--{name}"], [f"--no-{name}"]])


storage = pairs.filter(lambda pair: not pair[1].startswith("{") or is_json(pair[1])).map("=".join)
given_options = st.lists(
    st.one_of(
        option("--output", texts),
        option("--model", texts),
        option("--preprocessor", texts),
        option("--text-column", texts),
        option("--id-column", texts),
        option("--keep", st.lists(names, min_size=1, max_size=3).map(",".join)),
        option("--layers", st.lists(st.integers(-9, 9), min_size=1, max_size=3).map(lambda i: ",".join(map(str, i)))),
        option("--pooling", st.sampled_from(POOLINGS)),
        option("--dtype", st.sampled_from(DTYPES)),
        option("--precision", st.sampled_from(PRECISIONS)),
        option("--chunk-pool", st.sampled_from(CHUNK_POOLS)),
        option("--chunk-tokens", counts),
        option("--chunk-overlap", counts | st.just("0")),
        option("--workers", counts | st.integers(1, 99).map(lambda least: f"{least}:{least + 5}")),
        option("--gpus-per-worker", numbers),
        option("--through", texts),
        option("--storage-option", storage),
        option("--on-bad-row", st.sampled_from(["reject", "fail"])),
        option("--address", texts),
        switch("normalize"),
        switch("update"),
        switch("prune"),
    ),
    max_size=8,
).map(lambda words: [word for several in words for word in several])
inputs = st.lists(texts.filter(bool), min_size=1, max_size=3)


def values(arguments: argparse.Namespace):
    """What was asked for, however it was said."""
    return {name: value for name, value in vars(arguments).items() if name not in ("words", "config")}


def again(arguments: argparse.Namespace):
    """The values after a way through words."""
    return values(parse(["embed", *rendered(arguments, parser_of("embed"))]))


@settings(deadline=None)
@given(given_options, inputs)
def test_rendered_options_mean_the_same(options, places):
    arguments = parse(["embed", *options, "--", *places])
    assert again(arguments) == values(arguments)


def test_what_a_file_says_stands_on_the_command_line(tmp_path):
    config = tmp_path / "job.toml"
    config.write_text(
        'model = "m"\nkeep = ["a", "b"]\nworkers = "2:4"\nnormalize = false\n'
        "[storage-option]\nanon = true\nclient_kwargs = {verify = false}\n"
    )
    arguments = parse(["embed", "s3://b/y", "-o", "s3://b/out", "--config", str(config)])
    assert again(arguments) == values(arguments)
    assert not any("job.toml" in word for word in rendered(arguments, parser_of("embed")))


def test_defaults_are_not_said():
    arguments = parse(["embed", "s3://b/x", "-o", "s3://b/out", "--dtype", "float32"])
    assert rendered(arguments, parser_of("embed")) == ("--output=s3://b/out", "--", "s3://b/x")


@pytest.mark.parametrize("value", ["5", '"true"', '"{"', "[1]"])
def test_a_storage_option_that_no_command_line_can_say_is_refused(tmp_path, value):
    config = tmp_path / "job.toml"
    config.write_text(f"[storage-option]\nport = {value}\n")
    arguments = parse(["embed", "s3://b/x", "--config", str(config)])
    with pytest.raises(UsageError, match="--storage-option port: this value cannot travel"):
        rendered(arguments, parser_of("embed"))
