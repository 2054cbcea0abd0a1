"""The options of `encorpus doctor`: those of the job that is to run."""

import argparse

from cluster.encoder_arguments import storage_option
from cluster.option_types import input_place, non_negative


def doctor_options(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    parser.description = (
        "Says what is wrong with this machine, or with every node of a cluster, for the job that is named; writes "
        "nothing but a probe in OUTPUT, which it deletes. Exit status: 0 where nothing is a failure, else 1."
    )
    parser.add_argument("inputs", nargs="*", type=input_place, metavar="INPUT", help="to be listed and read")
    parser.add_argument("-o", "--output", help="to be listed, written, read, overwritten and deleted in")
    parser.add_argument("--model", metavar="HANDLE", help="there already, or how large")
    parser.add_argument("--preprocessor", metavar="HANDLE", help="the same of its companion")
    parser.add_argument("--address", help="a running Ray cluster, `auto` on one of its nodes; default: this machine")
    parser.add_argument(
        "--gpus-per-worker", type=non_negative, default=0.0, metavar="N", help="default: 0, encode on the CPU"
    )
    storage_option(parser)
    parser.add_argument("--config", metavar="FILE", help="TOML file for `embed`, of which these options are taken")
