"""`encorpus plan --nodes` and `--within`, from figures that no model is needed for."""

import pytest

from cluster.arguments import parse
from cluster.commands.plan_nodes import node_lines
from pipelines.job.estimate import Estimate
from tests.cluster.command_line import encorpus

TOKENS = 1000.0
FOUND = Estimate(
    sampled=100,
    chunks=None,
    tokens=TOKENS,
    truncated=0.0,
    percentiles=(1000, 1000, 1000),
    lengths=(),
    padding=0.0,
    probed=0,
    probed_seconds=0.0,
    rows_per_second=100.0,
    bytes_per_row=1024.0,
)


def last_line(*words, row_bytes, shard_rows):
    rows = 1_000_000_000
    return list(node_lines(FOUND, rows, rows * row_bytes, shard_rows, parse(["plan", "c", *words])))[-1]


def test_where_reads_of_large_rows_take_too_long_the_input_has_to_be_spread():
    told = last_line("--within", "1", row_bytes=100_000_000, shard_rows=1000)
    assert "storage reads alone takes" in told
    assert told.endswith(": spread the input over several prefixes, for each of which the storage allows as much")


def test_where_small_units_take_too_long_they_have_to_be_larger():
    told = last_line("--within", "0.1", row_bytes=100, shard_rows=10)
    assert "driver alone takes" in told
    assert told.endswith(": raise --shard-rows, or cut the corpus into several outputs")


@pytest.mark.parametrize("option", ["--nodes", "--workers-per-node"])
def test_a_number_that_nothing_has_is_refused(option):
    refused = encorpus("plan", "c", "--model", "m", "--nodes", "2", option, "9" * 320)
    assert refused.status == 2
    assert refused.told.startswith(f"encorpus: argument {option}: 999999999999999… is too large")


@pytest.mark.parametrize("option", ["--within", "--tokens-per-second", "--node-gbit"])
def test_a_part_that_divides_nothing_is_refused(option):
    refused = encorpus("plan", "c", "--model", "m", "--within", "1", option, "1e-320")
    assert refused.status == 2
    assert f"argument {option}: '1e-320' is not a number above 0" in refused.told


def test_the_largest_numbers_have_a_table():
    most = "9" * 15
    words = ("--nodes", most, "--workers-per-node", most, "--tokens-per-second", "1e308", "--node-gbit", "1e308")
    assert last_line(*words, row_bytes=100, shard_rows=10).startswith("999,999,999,999,999 ")
