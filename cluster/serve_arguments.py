"""The options of `encorpus serve`."""

import argparse
from collections.abc import Sequence
from typing import Any

from cluster.encoder_arguments import encoder_options, runtime_option, storage_option
from cluster.option_types import named_model, non_negative, port, replicas, share


class Several(argparse.Action):
    """As often as needed; the first one takes the place of what a configuration file says."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        before: Sequence[Any] = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [values] if before is self.default else [*before, values])


def serve_options(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    parser.description = "Answers requests over HTTP until it is interrupted; then it ends what it has begun."
    encoder = parser.add_argument_group("encoder")
    encoder.add_argument(
        "--model",
        action=Several,
        type=named_model,
        default=[],
        metavar="[NAME=]HANDLE",
        help="SavedModel, and what clients call it (default: the handle's last part); as often as needed",
    )
    encoder_options(encoder)
    storage_option(encoder)
    http = parser.add_argument_group("HTTP")
    http.add_argument("--host", default="127.0.0.1", help="others than this machine need keys (default: %(default)s)")
    http.add_argument("--port", type=port, default=8000, help="default: %(default)s")
    keys = http.add_mutually_exclusive_group()
    keys.add_argument(
        "--api-keys", metavar="FILE", help="TOML file of the keys' SHA-256; or set ENCORPUS_API_KEYS=KEY,KEY"
    )
    keys.add_argument("--no-auth", action="store_true", help="whoever reaches the address may ask")
    pool = parser.add_argument_group("replicas")
    pool.add_argument(
        "--replicas",
        type=replicas,
        metavar="N|MIN:MAX",
        help="MIN may be 0 (default: one a CPU core, or one a GPU)",
    )
    pool.add_argument(
        "--gpus-per-replica", type=non_negative, default=0.0, metavar="N", help="default: 0, encode on the CPU"
    )
    runtime_option(pool)
    pool.add_argument(
        "--batch-floor",
        type=share,
        default=0.05,
        metavar="SHARE",
        help="of the encoder, for `embed --through` at least; 0: only what requests leave (default: %(default)s)",
    )
    pool.add_argument("--address", help="a running Ray cluster; default: Ray on this machine, for as long as it serves")
    pool.add_argument(
        "--name", default="encorpus", metavar="APP", help="of the application in the cluster (default: %(default)s)"
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with any of these options, under the same names")
