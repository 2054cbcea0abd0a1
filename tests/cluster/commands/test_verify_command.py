"""`encorpus verify`: one line where the output is proven, else a line for each thing that is wrong, and status 1."""

import shutil

import pytest

from pipelines.numbers import size
from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import content_of, put_back
from tests.tiny_model import package_tiny_model


@pytest.fixture
def output(mixed, tmp_path):
    """A copy of the output, to be damaged."""
    return shutil.copytree(mixed.output, tmp_path / "out")


def violations(output, *options):
    """The lines about what is wrong, and the last line."""
    finished = encorpus("verify", output, *options)
    assert (finished.status, finished.err) == (1, "")
    *lines, last = finished.out.splitlines()
    return lines, last


@pytest.mark.parametrize(
    ("options", "against"),
    [
        ([], "plan, footers, checksums, manifest agree"),
        (["--input"], "plan, footers, checksums, manifest and input agree"),
    ],
    ids=["from the files alone", "with the input"],
)
def test_a_whole_output_is_proven(options, against, mixed):
    finished = encorpus("verify", mixed.output, *options)
    held = size(sum(path.stat().st_size for path in mixed.output.glob("*.parquet")))
    read = f"9 shards, 72 rows, 3 rejects, {held}"
    assert (finished.status, finished.err) == (0, "")
    assert finished.out == f"✓ {mixed.output}: {read}; {against}: nothing lost, doubled or damaged\n"


def test_deep_embeds_every_row_of_a_small_output_again(mixed):
    finished = encorpus("verify", mixed.output, "--deep", "--seed", "5")
    assert (finished.status, finished.err) == (0, "")
    assert "; 72 rows embedded again (--sample 256 --seed 5); plan, footers" in finished.out
    assert finished.out.endswith(": nothing lost, doubled or damaged, and vectors are those of their texts\n")


def test_a_sample_can_be_taken_again(mixed):
    first = encorpus("verify", mixed.output, "--deep", "--sample", "20").out
    options = first[first.index("(") + 1 : first.index(")")].split()
    assert options[:3] == ["--sample", "20", "--seed"]
    assert encorpus("verify", mixed.output, "--deep", *options).out == first


def test_another_model_is_refused(mixed, tmp_path):
    finished = encorpus("verify", mixed.output, "--deep", "--model", package_tiny_model(tmp_path, seed=8))
    assert finished.status == 2
    assert finished.told.startswith(f"encorpus verify: {mixed.output}: its encoder has fingerprint ")


@pytest.mark.parametrize("option", ["--sample", "--seed", "--model", "--preprocessor"])
def test_what_is_for_deep_needs_it(option, mixed):
    finished = encorpus("verify", mixed.output, option, "1")
    assert (finished.status, finished.out) == (2, "")
    assert finished.told == f"encorpus verify: {option} is for --deep; give that too, or leave it out"


def test_a_changed_byte(output):
    shard = output / "part-000001-000000.parquet"
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    (line,), last = violations(output)
    assert line.startswith("✗ part-000001-000000.parquet: ")
    assert last.startswith(f"{output}: 1 violation; read ")


def test_a_lost_shard(output):
    (output / "part-000000-000002.parquet").unlink()
    lines, last = violations(output)
    assert lines[0].startswith("✗ the output: 1 unit without a shard (part-000000-000002)")
    assert "read 8 shards, 62 rows" in last


def test_lost_rejects(output):
    (output / "_encorpus" / "rejects" / "part-000003-000001.parquet").unlink()
    (line,), _ = violations(output)
    assert "part-000003-000001.parquet: " in line


def test_a_stranger_among_the_shards(output):
    (output / "notes.txt").write_text("mine")
    (line,), _ = violations(output)
    assert line == "✗ notes.txt: not a shard of this output; move it away"


def test_a_lost_manifest(output):
    (output / "_encorpus" / "manifest.json").unlink()
    (line,), _ = violations(output)
    assert line.startswith("✗ _encorpus/manifest.json: missing")


def test_of_many_violations_twenty_are_shown(output):
    for number in range(25):
        (output / f"stranger-{number:02}").touch()
    lines, last = violations(output)
    assert lines[-1] == "  and 5 more"
    assert len([line for line in lines if line.startswith("✗ ")]) == 20
    assert ": 25 violations; " in last


def test_an_input_that_changed_counts_only_with_input(mixed):
    path = mixed.corpus / "d.csv"
    with put_back(path):
        path.write_bytes(path.read_bytes() + b"\n")
        (line,), _ = violations(mixed.output, "--input")
        alone = encorpus("verify", mixed.output)
    assert line == f"✗ {path}: has changed since the plan was made; its rows cannot be compared"
    assert alone.status == 0


def test_nothing_is_written(mixed):
    before = content_of(mixed.output)
    encorpus("verify", mixed.output, "--input")
    assert content_of(mixed.output) == before
