"""An output is of one encoder, one set of columns and one corpus: what would mix another in is refused."""

import pytest

from pipelines.packager.package import package
from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import content_of, put_back
from tests.tiny_model import write_checkpoint

ADVICE = "use the same options, or another folder"
CHANGED = "since the plan was made; restore the input, or run again with --update to follow it"


@pytest.fixture(scope="module")
def other_model(tmp_path_factory):
    """A model of the same sizes with other weights."""
    folder = tmp_path_factory.mktemp("other")
    package(str(write_checkpoint(folder / "checkpoint", seed=8)), str(folder / "model"))
    return folder / "model"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--pooling", "max"], "pooling was mean, now max"),
        (["--layers", "0"], "layers was [], now [0]"),
        (["--normalize"], "normalize was False, now True"),
        (["--max-tokens", "16"], "max-tokens was 32, now 16"),
        (["--dtype", "float16"], "dtype was float32, now float16"),
        (["--precision", "bfloat16"], "precision was float32, now bfloat16"),
        (["--text-column", "topic"], "text column was text, now topic"),
        (["--id-column", "topic"], "id column was name, now topic"),
        (["--keep", "topic,name"], "keep column was ['topic'], now ['topic', 'name']"),
        (["--shard-rows", "20"], "shard-rows was 10, now 20"),
        (["--pooling", "cls", "--max-tokens", "8"], "pooling was mean, now cls; max-tokens was 32, now 8"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_another_option_is_named(options, told, mixed):
    again = mixed.again(*options)
    assert (again.status, again.told) == (2, f"encorpus embed: -o {mixed.output}: made otherwise: {told}; {ADVICE}")


@pytest.mark.parametrize(
    ("option", "place"), [("--model", "."), ("--preprocessor", "preprocess")], ids=["model", "preprocessor"]
)
def test_another_model_is_named(option, place, mixed, other_model):
    again = mixed.again(option, other_model / place)
    what = "the model or preprocessor is another one (the fingerprint differs)"
    assert (again.status, again.told) == (2, f"encorpus embed: -o {mixed.output}: made otherwise: {what}; {ADVICE}")


def test_a_refused_rerun_leaves_the_output_as_it_is(mixed):
    before = content_of(mixed.output)
    mixed.again("--pooling", "max")
    assert content_of(mixed.output) == before


def test_the_same_model_in_another_place_is_no_other(mixed, tiny_model, tmp_path):
    moved = tmp_path / "moved"
    moved.symlink_to(tiny_model)
    with put_back(mixed.output / "_encorpus" / "job.json"):
        assert mixed.again("--model", moved).told.endswith("nothing missing")


@pytest.mark.parametrize("name", ["a.parquet", "b.jsonl", "c.jsonl.gz", "d.csv"])
def test_a_changed_input_is_named(name, mixed):
    path = mixed.corpus / name
    with put_back(path):
        path.write_bytes(path.read_bytes() + b"\n")
        again = mixed.again()
    assert (again.status, again.told) == (1, f"encorpus embed: {path} has changed {CHANGED}")


def test_a_vanished_input_is_named(mixed):
    path = mixed.corpus / "d.csv"
    with put_back(path):
        path.unlink()
        again = mixed.again()
    assert (again.status, again.told) == (1, f"encorpus embed: {path} is gone {CHANGED}")


def test_shards_without_job_json(mixed):
    job = mixed.output / "_encorpus" / "job.json"
    with put_back(job):
        job.unlink()
        again = mixed.again()
    assert again.status == 2
    assert str(mixed.output) in again.told
    assert "job.json" in again.told


@pytest.mark.parametrize("command", ["embed", "status", "verify"])
def test_a_damaged_job_json(command, mixed):
    job = mixed.output / "_encorpus" / "job.json"
    with put_back(job):
        job.write_text('{"encoder": ')
        finished = mixed.again() if command == "embed" else encorpus(command, mixed.output)
    assert (finished.status, finished.out) == (1, "")
    told = f"{job}: not a job.json of encorpus; embed into a new folder"
    assert finished.told == f"encorpus {command}: {told}"


@pytest.mark.parametrize("command", ["embed", "status", "verify"])
def test_a_damaged_plan(command, mixed):
    plan = mixed.output / "_encorpus" / "plan.parquet"
    with put_back(plan):
        plan.write_bytes(b"PAR1")
        finished = mixed.again() if command == "embed" else encorpus(command, mixed.output)
    assert (finished.status, finished.out) == (1, "")
    assert finished.told == f"encorpus {command}: {plan}: not a plan of encorpus; put the right one back"
