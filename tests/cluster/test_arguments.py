"""The command line and `--config` become the same plain values, or one line that says what is wrong."""

import re

import pytest

from cluster.arguments import parse
from pipelines.errors import UsageError
from tests.cluster.command_line import encorpus

# Every option of `embed`: as a word of the command line, as TOML, and as the plain value that both mean. Twice, so
# that one can win over the other.
OPTIONS = {
    "text-column": [("body", '"body"', "body"), ("title", '"title"', "title")],
    "id-column": [("url", '"url"', "url"), ("name", '"name"', "name")],
    "keep": [("title, url", '["title", "url"]', ("title", "url")), ("day", '"day"', ("day",))],
    "shard-rows": [("50", "50", 50), ("60", '"60"', 60)],
    "output": [("out", '"out"', "out"), ("s3://b/out", '"s3://b/out"', "s3://b/out")],
    "model": [("model", '"model"', "model"), ("m.tar.gz", '"m.tar.gz"', "m.tar.gz")],
    "preprocessor": [("pre", '"pre"', "pre"), ("p.tar.gz", '"p.tar.gz"', "p.tar.gz")],
    "pooling": [("mean", '"mean"', "mean"), ("sequence", '"sequence"', "sequence")],
    "layers": [("0,-1", "[0, -1]", (0, -1)), ("-2,-1", "[-2, -1]", (-2, -1))],
    "max-tokens": [("64", "64", 64), ("256", "256", 256)],
    "dtype": [("float16", '"float16"', "float16"), ("float32", '"float32"', "float32")],
    "precision": [("bfloat16", '"bfloat16"', "bfloat16"), ("float16", '"float16"', "float16")],
    "runtime": [("openvino", '"openvino"', "openvino"), ("tensorflow", '"tensorflow"', "tensorflow")],
    "chunk-tokens": [("64", "64", 64), ("256", '"256"', 256)],
    "chunk-overlap": [("0", "0", 0), ("16", '"16"', 16)],
    "chunk-pool": [("mean", '"mean"', "mean")] * 2,
    "workers": [("3", "3", (3, 3)), ("1:4", '"1:4"', (1, 4))],
    "gpus-per-worker": [("1", "1", 1.0), ("0.5", "0.5", 0.5)],
    "through": [("encorpus", '"encorpus"', "encorpus"), ("news", '"news"', "news")],
    "address": [("auto", '"auto"', "auto"), ("10.0.0.1:6379", '"10.0.0.1:6379"', "10.0.0.1:6379")],
    "profile": [("trace.json", '"trace.json"', "trace.json"), ("/tmp/t", '"/tmp/t"', "/tmp/t")],
    "limit": [("500", "500", 500), ("7", '"7"', 7)],
    "on-bad-row": [("fail", '"fail"', "fail"), ("reject", '"reject"', "reject")],
}
# Those that have another form, with tests of their own below.
OTHERS = {"calibrate", "normalize", "update", "prune", "storage-option", "config"}
NOT_OF_PLAN = {"output", "through", "address", "profile", "limit", "on-bad-row"}

SAID_ON_THE_COMMAND_LINE = [
    pytest.param(option, *value[::2], id=f"{option}={value[0]}")
    for option, values in OPTIONS.items()
    for value in values
]
SAID_IN_A_FILE = [
    pytest.param(option, *value[1:], id=f"{option} = {value[1]}")
    for option, values in OPTIONS.items()
    for value in values
]


def parsed(*words, command="embed"):
    """The plain values of a command line with one input, without its words."""
    values = vars(parse([command, "corpus", *words]))
    assert values.pop("words") == (command, "corpus", *words)
    return values


def refusal(*words, command="embed"):
    """The one line that refuses a command line."""
    with pytest.raises(UsageError) as refused:
        parsed(*words, command=command)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.fixture
def toml(tmp_path):
    """Writes a configuration file and gives its path."""

    def write(*lines):
        path = tmp_path / "job.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)

    return write


def plain(option):
    """The name of the parsed value."""
    return option.replace("-", "_")


def test_the_table_has_every_option_of_embed():
    told = set(re.findall(r"--([a-z-]+)", encorpus("embed", "--help").out))
    assert told - {"help", "no-calibrate", "no-normalize", "no-update", "no-prune"} == OPTIONS.keys() | OTHERS


@pytest.mark.parametrize(("option", "word", "value"), SAID_ON_THE_COMMAND_LINE)
def test_an_option_becomes_a_plain_value(option, word, value):
    assert parsed(f"--{option}", word)[plain(option)] == value


@pytest.mark.parametrize(("option", "text", "value"), SAID_IN_A_FILE)
def test_the_file_means_the_same(option, text, value, toml):
    assert parsed("--config", toml(f"{option} = {text}"))[plain(option)] == value


@pytest.mark.parametrize("option", sorted(OPTIONS.keys() - NOT_OF_PLAN))
def test_plan_understands_them_too(option, toml):
    word, text, value = OPTIONS[option][0]
    assert parsed(f"--{option}", word, command="plan")[plain(option)] == value
    assert parsed("--config", toml(f"{option} = {text}"), command="plan")[plain(option)] == value


@pytest.mark.parametrize("option", OPTIONS)
def test_the_command_line_wins_over_the_file(option, toml):
    (word, _, value), (_, text, _) = OPTIONS[option]
    assert parsed(f"--{option}", word, "--config", toml(f"{option} = {text}"))[plain(option)] == value


@pytest.mark.parametrize("option", sorted(NOT_OF_PLAN))
def test_plan_passes_over_what_only_embed_needs(option, toml):
    assert parsed("--config", toml(f"{option} = {OPTIONS[option][0][1]}"), command="plan")["shard_rows"] is None


def test_a_file_of_a_whole_job_serves_the_doctor(toml):
    found = parsed(
        "--config", toml(*(f"{option} = {values[0][1]}" for option, values in OPTIONS.items())), command="doctor"
    )
    assert (found["model"], found["output"], found["address"]) == ("model", "out", "auto")


def test_a_whole_job_can_stand_in_the_file(toml):
    path = toml(*(f"{option} = {values[0][1]}" for option, values in OPTIONS.items()))
    words = [word for option, values in OPTIONS.items() for word in (f"--{option}", values[0][0])]
    assert parsed("--config", path) | {"config": None} == parsed(*words)


def test_what_nobody_says_has_its_default():
    assert parsed() == {
        "command": "embed",
        "inputs": ["corpus"],
        "output": None,
        "text_column": "text",
        "id_column": None,
        "keep": (),
        "shard_rows": None,
        "storage_option": [],
        "model": None,
        "preprocessor": None,
        "pooling": None,
        "layers": (),
        "normalize": None,
        "max_tokens": None,
        "dtype": "float32",
        "precision": "float32",
        "runtime": "auto",
        "calibrate": False,
        "chunk_tokens": None,
        "chunk_overlap": 0,
        "chunk_pool": None,
        "workers": None,
        "gpus_per_worker": 0.0,
        "through": None,
        "address": None,
        "update": False,
        "prune": False,
        "limit": None,
        "profile": None,
        "on_bad_row": "reject",
        "config": None,
    }


def test_o_is_short_for_output():
    assert parsed("-o", "out")["output"] == "out"


def test_inputs_can_be_several():
    assert parse(["embed", "a", "b/*.csv", "-o", "out"]).inputs == ["a", "b/*.csv"]


def test_names_in_the_file_may_have_underscores(toml):
    assert parsed("--config", toml("max_tokens = 64"))["max_tokens"] == 64


@pytest.mark.parametrize("name", ["calibrate", "normalize", "update", "prune"])
@pytest.mark.parametrize(("word", "text", "value"), [("--{}", "true", True), ("--no-{}", "false", False)])
def test_a_switch_is_on_or_off(name, word, text, value, toml):
    assert parsed(word.format(name))[name] is value
    assert parsed("--config", toml(f"{name} = {text}"))[name] is value


def test_the_command_line_switches_back_what_the_file_switches_on(toml):
    assert parsed("--no-normalize", "--config", toml("normalize = true"))["normalize"] is False


def test_storage_options_are_pairs_as_often_as_needed():
    words = ("--storage-option", "key=a", "--storage-option", "client_kwargs=b=c", "--storage-option", "token=")
    assert parsed(*words)["storage_option"] == [("key", "a"), ("client_kwargs", "b=c"), ("token", "")]


@pytest.mark.parametrize(
    ("word", "text", "value"),
    [
        ("anon=true", "anon = true", {"anon": True}),
        ('client_kwargs={"verify": false}', "client_kwargs = {verify = false}", {"client_kwargs": {"verify": False}}),
        ("token=12", 'token = "12"', {"token": "12"}),
    ],
)
def test_storage_options_are_a_table_in_the_file_and_json_on_the_command_line(word, text, value, toml):
    assert dict(parsed("--storage-option", word)["storage_option"]) == value
    assert dict(parsed("--config", toml('model = "m"', "[storage-option]", text))["storage_option"]) == value


def test_storage_options_of_the_command_line_win_one_by_one(toml):
    path = toml('storage-option = {key = "file", region = "file"}')
    both = parsed("--config", path, "--storage-option", "key=line")["storage_option"]
    assert dict(both) == {"key": "line", "region": "file"}


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["status", "out"], {"output": "out"}),
        (["verify", "out"], {"output": "out", "input": False}),
        (["verify", "out", "--input"], {"output": "out", "input": True}),
        (["search", "out", "a text"], {"query": "a text", "top": 5, "model": None, "preprocessor": None}),
        (
            ["search", "out", "q", "--top", "9", "--model", "m", "--preprocessor", "p"],
            {"top": 9, "model": "m", "preprocessor": "p"},
        ),
        (["search", "out", "--", "--dashes--"], {"query": "--dashes--"}),
        (["status", "out", "--storage-option", "a=b"], {"storage_option": [("a", "b")]}),
        (["package", "checkpoint", "-o", "model"], {"checkpoint": "checkpoint", "output": "model"}),
        (["check", "model", "--preprocessor", "p"], {"model": "model", "preprocessor": "p"}),
        (["plan", "c"], {"price_per_hour": None}),
        (["plan", "c", "--price-per-hour", "1.2"], {"price_per_hour": 1.2}),
        (["submit", "c"], {"cluster": None, "detach": False, "installed": False, "inputs": ["c"]}),
        (["submit", "c", "--cluster", "head:8265/", "--detach"], {"cluster": "http://head:8265", "detach": True}),
        (["status", "out"], {"cluster": None}),
        (["logs", "out", "--cluster", "https://head"], {"cluster": "https://head", "follow": False}),
        (["logs", "out", "--follow"], {"cluster": None, "follow": True}),
        (["cancel", "out"], {"output": "out", "cluster": None}),
        (["demo"], {"folder": "encorpus-demo"}),
        (["demo", "elsewhere"], {"folder": "elsewhere"}),
    ],
    ids=" ".join,
)
def test_the_other_commands(words, values):
    found = vars(parse(words))
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ("workers", "0"),
        ("workers", "-1"),
        ("workers", "many"),
        ("workers", "1.5"),
        ("workers", "3:2"),
        ("workers", ":2"),
        ("workers", "1:2:3"),
        ("shard-rows", "0"),
        ("shard-rows", "-5"),
        ("shard-rows", "1e3"),
        ("shard-rows", "1_000"),
        ("shard-rows", "٣"),
        ("shard-rows", ""),
        ("max-tokens", "0"),
        ("gpus-per-worker", "one"),
        ("gpus-per-worker", "-1"),
        ("gpus-per-worker", "nan"),
        ("layers", "last"),
        ("layers", "1.5"),
        ("keep", ""),
        ("keep", "title,,url"),
        ("pooling", "sum"),
        ("dtype", "float64"),
        ("precision", "int8"),
        ("runtime", "torch"),
        ("on-bad-row", "skip"),
        ("storage-option", "key"),
        ("storage-option", "=value"),
        ("storage-option", "client_kwargs={"),
    ],
)
def test_a_wrong_word_is_one_line_that_names_the_option(option, word):
    assert f"--{option}" in refusal(f"--{option}", word)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "COMMAND"),
        (["embed"], "INPUT"),
        (["plan"], "INPUT"),
        (["plan", "c", "--price-per-hour", "-1"], "--price-per-hour"),
        (["status"], "OUTPUT"),
        (["search", "out"], "QUERY"),
        (["search", "out", "q", "--top", "0"], "--top"),
        (["package", "checkpoint"], "-o"),
        (["check"], "MODEL"),
        (["launch"], "'launch'"),
        (["embed", "corpus", "--colour", "red"], "--colour"),
        (["status", "out", "out2"], "out2"),
        (["embed", "corpus", "--model"], "--model"),
    ],
    ids=" ".join,
)
def test_what_is_missing_or_unknown_is_one_line(words, told):
    with pytest.raises(UsageError) as refused:
        parse(words)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("--help`")


def test_abbreviations_are_refused():
    with pytest.raises(UsageError):
        parse(["embed", "corpus", "--mod", "model"])


def test_a_range_of_workers_has_both_ends():
    with pytest.raises(UsageError):
        parse(["embed", "c", "--workers", "1:"])
