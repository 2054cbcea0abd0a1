"""`encorpus plan --nodes` and `--within`: a job on the nodes of a cluster, in a table."""

import argparse
from collections.abc import Iterator

from pipelines.errors import UsageError
from pipelines.job.cluster_size import (
    S3_READS,
    S3_WRITES,
    Bound,
    ClusterSize,
    Demand,
    Node,
    nodes_within,
    size_of,
)
from pipelines.job.estimate import Estimate
from pipelines.numbers import count, duration, rate

WORKERS_PER_NODE = 1
NODE_GBIT = 10.0


def asks_for_nodes(arguments: argparse.Namespace) -> bool:
    """Whether nodes are asked for. Raises UsageError for a node's options where none are."""
    if arguments.nodes or arguments.within:
        return True
    for name in ("workers_per_node", "node_gbit"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')}: of nodes; name their number with --nodes, or --within HOURS")
    return False


def node_lines(
    found: Estimate, rows: int, stored: int, shard_rows: int, arguments: argparse.Namespace
) -> Iterator[str]:
    """The table, and what it says of `--within`. stored: bytes of the input's files."""
    if not rows:
        yield "no rows, no nodes"
        return
    demand = Demand(rows, found.tokens, stored / rows, found.bytes_per_row, min(shard_rows, rows))
    workers = arguments.workers_per_node or WORKERS_PER_NODE
    node = Node(workers, found.rows_per_second * found.tokens, arguments.node_gbit or NODE_GBIT)
    chosen: set[int] = set(arguments.nodes or ())
    enough = nodes_within(demand, node, arguments.within * 3600) if arguments.within else None
    if enough is not None:
        chosen.add(enough)
    told = f"a node: {count(workers, 'worker')} of {rate(node.tokens_per_second)} tokens/s, {node.gbit:g} Gbit/s"
    yield f"{told}; a unit: {count(round(demand.unit_rows), 'row')}"
    if chosen:
        yield from _table([size_of(demand, node, nodes) for nodes in sorted(chosen)], workers, arguments.price_per_hour)
    if enough is not None:
        yield f"within {arguments.within:g} hours: {count(enough, 'node')}"
    elif arguments.within:
        most = size_of(demand, node, 10**40)  # so many that nothing of theirs counts
        yield (
            f"within {arguments.within:g} hours: on no number of nodes; {most.bound} alone takes "
            f"{duration(most.seconds)}: {_remedy(most.bound)}"
        )


def _remedy(bound: Bound) -> str:
    """Against what does not grow with the nodes."""
    if bound is Bound.READS:
        return "spread the input over several prefixes, for each of which the storage allows as much"
    return "raise --shard-rows, or cut the corpus into several outputs"


def _table(sizes: list[ClusterSize], workers: int, price: float | None) -> Iterator[str]:
    yield "  nodes      hours        price  held back by    busy  writes/s   reads/s  of S3's  Gbit/s a node"
    for size in sizes:
        hours = size.seconds / 3600
        cost = "" if price is None else f"{hours * size.nodes * workers * price:,.2f}"
        of_s3 = max(size.writes / S3_WRITES, size.reads / S3_READS)
        yield (
            f"{size.nodes:>7,} {hours:>10,.2f} {cost:>12}  {size.bound:<14} {size.busy:>5.0%} {size.writes:>9,.1f} "
            f"{size.reads:>9,.1f} {of_s3:>8.1%} {size.gbit:>14.2g}"
        )
