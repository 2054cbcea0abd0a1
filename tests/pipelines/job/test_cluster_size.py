"""Sums over rates: how long a job takes on so many nodes, and what holds it back."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.job.cluster_size import (
    DRIVER_UNITS,
    RANGE_BYTES,
    S3_READS,
    S3_WRITES,
    UNIT_READS,
    UNIT_WRITES,
    Bound,
    Demand,
    Node,
    nodes_within,
    row_rates,
    size_of,
)

NODE = Node(workers=4, tokens_per_second=1000.0, gbit=10.0)
# Long texts in large units: nothing but the workers.
DEMAND = Demand(rows=1e6, tokens=100.0, bytes_read=500.0, bytes_written=1500.0, unit_rows=1000.0)


def amounts(least: float, most: float):
    return st.floats(least, most)


DEMANDS = st.builds(
    Demand, amounts(1, 1e11), amounts(1, 1e5), amounts(0, 1e6), amounts(0, 1e6), unit_rows=amounts(1, 1e6)
)
NODES = st.builds(Node, st.integers(1, 16), amounts(1, 1e6), amounts(0.1, 400))
COUNTS = st.integers(1, 5000)


def test_where_workers_are_all_that_holds_it_back_their_rate_is_the_jobs():
    size = size_of(DEMAND, NODE, 2)
    assert (size.bound, size.busy) == (Bound.WORKERS, 1.0)
    assert size.seconds == pytest.approx(1e6 * 100 / (2 * 4 * 1000))
    assert size.gbit == pytest.approx(40 * 2000 * 8 / 1e9)


@pytest.mark.parametrize(
    ("demand", "node", "bound"),
    [
        (DEMAND, replace(NODE, gbit=1e-6), Bound.NETWORK),
        (replace(DEMAND, unit_rows=1.0), replace(NODE, tokens_per_second=1e9), Bound.DRIVER),
        (replace(DEMAND, bytes_read=1e9, bytes_written=0), Node(4, 1e12, 1e12), Bound.READS),
    ],
)
def test_what_allows_the_fewest_rows_is_what_holds_it_back(demand, node, bound):
    assert size_of(demand, node, 100).bound == bound


def test_a_large_unit_is_read_in_ranges():
    assert replace(DEMAND, bytes_read=RANGE_BYTES / 100).unit_reads == UNIT_READS + 10


@given(DEMANDS, NODES, COUNTS)
def test_nothing_is_asked_for_more_than_it_can_do(demand, node, nodes):
    size = size_of(demand, node, nodes)
    over = 1 + 1e-9
    assert size.busy <= over
    assert size.gbit <= node.gbit * over
    assert size.writes <= S3_WRITES * over
    assert size.reads <= S3_READS * over
    assert size.writes / UNIT_WRITES <= DRIVER_UNITS * over


@given(DEMANDS, NODES, COUNTS)
def test_what_holds_it_back_is_fully_used(demand, node, nodes):
    size = size_of(demand, node, nodes)
    assert demand.rows / size.seconds == pytest.approx(row_rates(demand, node, nodes)[size.bound])


@given(DEMANDS, NODES, COUNTS, COUNTS)
def test_more_nodes_never_take_longer(demand, node, nodes, more):
    assert size_of(demand, node, nodes + more).seconds <= size_of(demand, node, nodes).seconds


@given(DEMANDS, NODES, st.floats(1, 1e8))
def test_the_fewest_nodes_within_a_time_are_enough_and_one_less_is_not(demand, node, seconds):
    nodes = nodes_within(demand, node, seconds)
    assume(nodes is not None and nodes < 1e9)
    assert nodes is not None
    assert size_of(demand, node, nodes).seconds <= seconds
    assert nodes == 1 or size_of(demand, node, nodes - 1).seconds > seconds * (1 - 1e-9)


@given(DEMANDS, NODES, st.floats(1, 1e8))
def test_where_no_number_of_nodes_is_enough_a_great_many_are_not_either(demand, node, seconds):
    assume(nodes_within(demand, node, seconds) is None)
    size = size_of(demand, node, 10**40)
    assert size.seconds > seconds
    assert size.bound in (Bound.WRITES, Bound.READS, Bound.DRIVER)
