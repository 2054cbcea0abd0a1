"""A request that cannot be carried out is refused in one clear line, with the right status, and nothing is written."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cluster.command_line import encorpus, encorpus_process
from tests.tiny_model import LAYERS, POSITIONS


@pytest.fixture
def places(tmp_path, tiny_model):
    """What the words of the tables below stand for; beside the corpus lie things that are none."""
    here, corpus = tmp_path / "here", tmp_path / "here" / "corpus"
    corpus.mkdir(parents=True)
    table = pa.table({"text": ["a", "b"], "id": ["x", "y"], "number": [1, 2], "share": [0.5, 1.5]})
    pq.write_table(table, corpus / "a.parquet")
    (here / "lines.jsonl").write_text('{"body": "a"}\n')
    (here / "table.csv").write_text("body,title\na,b\n")
    (here / "plain.txt").write_text("a\n")
    (here / "letter.docx").write_text("a")
    (here / "empty").mkdir()
    return {
        "here": str(here),
        "corpus": str(corpus),
        "file": str(corpus / "a.parquet"),
        "model": str(tiny_model),
        "checkpoint": str(tiny_model.with_name(tiny_model.name.replace("model", "checkpoint"))),
        "preprocessor": str(tiny_model / "preprocess"),
        "out": str(tmp_path / "out"),
    }


def refused(places, words, run=encorpus):
    """Runs the words; gives the exit status, and the line, in which the places are words again."""
    words = [word.format(**places) for word in words]
    finished = run(*words)
    assert finished.out == ""
    told = finished.told
    for name in ("out", "file", "corpus", "preprocessor", "model", "checkpoint", "here"):
        told = told.replace(places[name], f"{{{name}}}")
    return finished.status, told.removeprefix("encorpus ")


NO_FILES = "no files there; give a file, a folder or a quoted glob that holds some"
NO_OUTPUT = "not an output of encorpus embed: it has no _encorpus/job.json or plan.parquet"
TAKEN = "the name is used by the shards; rename it in the input"
THERE = "there are: text, id, number, share"

INPUTS = [
    ("{here}/nothing", f"{{here}}/nothing: {NO_FILES}"),
    ("{here}/*.parquet", f"{{here}}/*.parquet: {NO_FILES}"),
    ("{here}/empty", f"{{here}}/empty: {NO_FILES}"),
    ("{here}/lines.jsonl", "{here}/lines.jsonl: no column 'text'; there are: body"),
    ("{here}/table.csv", "{here}/table.csv: no column 'text'; there are: body, title"),
    ("{here}/letter.docx", "{here}/letter.docx: unknown format; known are .parquet .pq .jsonl"),
    ("{here}", "{here}/letter.docx: unknown format; known are .parquet .pq .jsonl"),
    ("nowhere://bucket/corpus", "nowhere://bucket/corpus: Protocol not known: nowhere"),
]

COLUMNS = [
    (["--text-column", "body"], f"{{file}}: no column 'body'; {THERE}"),
    (["--text-column", "number"], "{file}: column 'number' is int64, not string"),
    (["--id-column", "url"], f"{{file}}: no column 'url'; {THERE}"),
    (["--id-column", "share"], "{file}: id column 'share' is double, neither string nor integer"),
    (["--keep", "number,url"], f"{{file}}: no column 'url'; {THERE}"),
    (["--keep", "id"], f"cannot keep column 'id': {TAKEN}"),
    (["--keep", "number,number"], "column 'number' is to be kept twice; name it once"),
]

MODELS = [
    ("{here}/nothing", "model {here}/nothing: no such folder"),
    ("{corpus}", "model {corpus}: not a SavedModel (there is no saved_model.pb in it)"),
    (
        "{checkpoint}",
        "model {checkpoint}: a checkpoint, not a SavedModel; run `encorpus package {checkpoint} -o DIR` first",
    ),
    ("nowhere://models/m", "model nowhere://models/m: cannot be fetched: Protocol not known: nowhere"),
]

SPECS = [
    (["--max-tokens", "2"], "--max-tokens 2: at least 3 (two of them are [CLS] and [SEP])"),
    (
        ["--pooling", "pooled", "--layers", "0"],
        "--layers and --pooling pooled exclude each other: choose cls, mean, max or sequence",
    ),
    (
        ["--pooling", "sequence", "--normalize"],
        "--normalize and --pooling sequence exclude each other: leave one out",
    ),
    (
        ["--max-tokens", str(POSITIONS + 1)],
        f"--max-tokens {POSITIONS + 1}: the model takes at most {POSITIONS} tokens; ask for at most that",
    ),
    (
        ["--pooling", "mean", "--layers", f"0,{LAYERS}"],
        f"--layers {LAYERS}: this model gives {LAYERS} encoder_outputs, 0 to {LAYERS - 1} or negative from the end",
    ),
    (["--preprocessor", "{here}/nothing"], "model {here}/nothing: no such folder"),
    (["--gpus-per-worker", "1.5"], "--gpus-per-worker 1.5: a whole number, or a part below 1, is needed"),
]

OUTPUTS = [
    ("{file}", 2, "-o {file}: a file; name a folder"),
    ("{here}/plain.txt/below", 1, "{here}/plain.txt/below: cannot list: Not a directory"),
    ("{corpus}/out", 2, "-o {corpus}/out: lies inside the input {corpus}; choose a folder beside it"),
    ("{here}", 2, "-o {here}: holds "),
    ("/proc/encorpus", 1, "/proc/encorpus/_encorpus/plan.parquet: cannot write: "),
    ("nowhere://bucket/out", 2, "nowhere://bucket/out: Protocol not known: nowhere"),
]

# The other commands, where they are pointed at what is not theirs.
ELSEWHERE = [
    (["status", "{out}"], 2, f"status: {{out}}: {NO_OUTPUT}"),
    (["status", "{corpus}"], 2, f"status: {{corpus}}: {NO_OUTPUT}"),
    (["status", "{file}"], 2, f"status: {{file}}: {NO_OUTPUT}"),
    (["verify", "{corpus}"], 2, f"verify: {{corpus}}: {NO_OUTPUT}"),
    (["search", "{corpus}", "a"], 2, f"search: {{corpus}}: {NO_OUTPUT}"),
    (["status", "nowhere://bucket"], 2, "status: nowhere://bucket/_encorpus/job.json: Protocol not known: nowhere"),
    (["check", "{here}/nothing"], 2, "check: model {here}/nothing: no such folder"),
    (
        ["check", "{preprocessor}"],
        2,
        "check: model {preprocessor}: not an encoder but a preprocessor or a text-to-vector module: it takes strings",
    ),
    (["package", "{here}/nothing", "-o", "{out}"], 2, "package: {here}/nothing: no such checkpoint; give a folder"),
    (["package", "{corpus}", "-o", "{out}"], 2, "package: {corpus} has no config.json: give the folder of a BERT"),
    (["package", "{checkpoint}", "-o", "{corpus}"], 2, "package: {corpus} is there already: choose another folder"),
    (["package", "{checkpoint}", "-o", "{file}/below"], 1, "package: {file}/below cannot be written: "),
    (["package", "{checkpoint}", "-o", "s3://b/model"], 2, "package: s3://b/model: packaging writes to a local folder"),
]


def embed_words(inputs=("{corpus}",), output="{out}", model="{model}", options=()):
    """A command that would run, but for what a test puts in."""
    return ["embed", *inputs, "-o", output, "--model", model, "--max-tokens", "32", *options]


@pytest.mark.parametrize(("given", "told"), INPUTS)
def test_an_input_that_is_none(given, told, places):
    status, line = refused(places, embed_words(inputs=[given]))
    assert (status, line[: len(told) + 7]) == (2, f"embed: {told}")


@pytest.mark.parametrize(("given", "told"), INPUTS)
def test_plan_says_the_same_of_an_input(given, told, places):
    status, line = refused(places, ["plan", given])
    assert (status, line[: len(told) + 6]) == (2, f"plan: {told}")


@pytest.mark.parametrize(("options", "told"), COLUMNS)
def test_columns_that_the_corpus_has_not(options, told, places):
    assert refused(places, embed_words(options=options)) == (2, f"embed: {told}")


def test_a_file_given_twice(places):
    told = "{file}: given twice; each file belongs to the corpus once"
    assert refused(places, embed_words(inputs=["{corpus}", "{file}"])) == (2, f"embed: {told}")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--keep", "{here}/plain.txt: no column 'number' in plain text, nor a folder number=… in its path"),
        ("--id-column", "{here}/plain.txt: plain text has no columns; leave out the id column"),
    ],
)
def test_columns_of_plain_text(option, told, places):
    words = embed_words(inputs=["{here}/plain.txt"], options=[option, "number"])
    assert refused(places, words) == (2, f"embed: {told}")


@pytest.mark.parametrize(("model", "told"), MODELS)
def test_a_model_that_is_none(model, told, places):
    assert refused(places, embed_words(model=model)) == (2, f"embed: {told}")


@pytest.mark.parametrize(("options", "told"), SPECS)
def test_an_encoder_that_cannot_be(options, told, places):
    assert refused(places, embed_words(options=options)) == (2, f"embed: {told}")


@pytest.mark.parametrize(("output", "status", "told"), OUTPUTS)
def test_an_output_that_cannot_be_written(output, status, told, places):
    found, line = refused(places, embed_words(output=output))
    assert (found, line[: len(told) + 7]) == (status, f"embed: {told}")


@pytest.mark.parametrize(("words", "status", "told"), ELSEWHERE)
def test_other_commands(words, status, told, places):
    found, line = refused(places, words)
    assert (found, line[: len(told)]) == (status, told)


def test_no_model(places):
    told = "--model is missing: name a SavedModel (`encorpus package` makes one from a checkpoint)"
    assert refused(places, ["embed", "{corpus}", "-o", "{out}"]) == (2, f"embed: {told}")


def test_no_output(places):
    words = ["embed", "{corpus}", "--model", "{model}"]
    assert refused(places, words) == (2, "embed: -o OUTPUT is missing: name the folder for the shards")


@pytest.mark.parametrize(
    "words",
    [
        embed_words(inputs=["{here}/nothing"]),
        embed_words(options=["--text-column", "body"]),
        embed_words(model="{here}/nothing"),
        embed_words(options=["--shard-rows", "0"]),
        ["package", "{corpus}", "-o", "{out}"],
    ],
    ids=["input", "column", "model", "option", "checkpoint"],
)
def test_nothing_is_written_where_the_request_is_refused(words, places, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    refused(places, words)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:1", "ray://127.0.0.1:1", "nowhere://cluster"])
def test_an_address_where_nothing_answers(address, places):
    words = [word.format(**places) for word in embed_words(options=["--address", address])]
    finished = encorpus_process(*words)
    assert finished.status == 2
    assert finished.last_line.startswith(f"encorpus embed: --address {address}: no Ray cluster answers there")


def test_a_model_that_is_no_encoder(places, ray_session):
    finished = encorpus(*(word.format(**places) for word in embed_words(model="{preprocessor}")))
    assert finished.status == 2
    told = "not an encoder but a preprocessor or a text-to-vector module: it takes strings"
    assert finished.last_line == f"encorpus embed: model {places['preprocessor']}: {told}"


def test_a_preprocessor_that_is_none(places, ray_session):
    words = embed_words(options=["--preprocessor", "{model}"])
    finished = encorpus(*(word.format(**places) for word in words))
    assert finished.status == 2
    assert finished.last_line.startswith(f"encorpus embed: --preprocessor {places['model']}: not a companion")


def test_more_gpus_than_there_are(places, ray_session):
    words = [word.format(**places) for word in embed_words(options=["--gpus-per-worker", "64"])]
    finished = encorpus(*words)
    assert finished.status == 2
    assert finished.last_line.startswith("encorpus embed: --gpus-per-worker 64: Ray sees ")


def test_an_empty_input_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("x\n")
    assert encorpus("plan", "").status == 2
