"""The options of `encorpus plan` that size a cluster."""

import argparse

from cluster.option_types import count, counts, positive


def node_options(parser: argparse.ArgumentParser) -> None:
    """On how many nodes, or within which time; and what a node is."""
    nodes = parser.add_argument_group("nodes of a cluster")
    nodes.add_argument("--nodes", type=counts, metavar="N,...", help="hours, price and bound on so many nodes")
    nodes.add_argument("--within", type=positive, metavar="HOURS", help="how many nodes it takes to be done by then")
    nodes.add_argument("--workers-per-node", type=count, metavar="N", help="such as the GPUs of a node (default: 1)")
    nodes.add_argument(
        "--tokens-per-second",
        type=positive,
        metavar="R",
        help="of one worker, as a run's report tells it; default: measured on this machine",
    )
    nodes.add_argument(
        "--node-gbit", type=positive, metavar="G", help="a node's network, in Gbit a second (default: 10)"
    )
