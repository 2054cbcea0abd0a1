"""Options that name an encoder, and the storage of what it reads; the same wherever there are any."""

import argparse

from cluster.option_types import count, integers, storage_pair
from pipelines.encoder.runtime import RUNTIMES
from pipelines.encoder.spec import POOLINGS, PRECISIONS


def encoder_options(encoder: argparse._ArgumentGroup) -> None:
    """Those that decide what a text's vector is, but for the model."""
    encoder.add_argument("--preprocessor", metavar="HANDLE", help="its companion; default: the model's own vocabulary")
    encoder.add_argument(
        "--pooling",
        choices=POOLINGS,
        help="default: what the model recommends, else pooled, or mean with --layers",
    )
    encoder.add_argument(
        "--layers",
        type=integers,
        default=(),
        metavar="I,...",
        help="mean over these encoder_outputs, -1 being the last, instead of sequence_output",
    )
    encoder.add_argument(
        "--normalize",
        action=argparse.BooleanOptionalAction,
        help="vectors of length 1; default: what the model recommends, else no",
    )
    encoder.add_argument(
        "--max-tokens",
        type=count,
        metavar="N",
        help="longer texts are cut; default: what the model recommends, else 128",
    )
    encoder.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of the matrix products (default: %(default)s)",
    )


def runtime_option(group: argparse._ArgumentGroup) -> None:
    """What computes the vectors, which it does not decide."""
    group.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default="auto",
        help="what encodes on CPUs; auto: the faster of those that give the right vectors (default: %(default)s)",
    )


def calibrate_option(group: argparse._ActionsContainer) -> None:
    """Whether what a machine was found to suit it is measured again."""
    group.add_argument(
        "--calibrate",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="have each machine measure again which runtime and batches suit it, as it does the first time",
    )


def storage_option(parser: argparse._ActionsContainer) -> None:
    """What reaches the store."""
    parser.add_argument(
        "--storage-option",
        type=storage_pair,
        action="append",
        default=[],
        metavar="K=V",
        help="for fsspec, as often as needed",
    )
