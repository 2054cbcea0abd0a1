"""The command line's options: what each is called, what it means, and how a configuration file gives them."""

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from cluster.config_file import defaults_of, read_config
from cluster.doctor_arguments import doctor_options
from cluster.encoder_arguments import calibrate_option, encoder_options, runtime_option, storage_option
from cluster.jobs.api_url import ADDRESS, DEFAULT_URL
from cluster.node_arguments import node_options
from cluster.option_types import (
    cluster_url,
    column_names,
    count,
    count_from_0,
    input_place,
    non_negative,
    workers,
)
from cluster.serve_arguments import serve_options
from pipelines.encoder.spec import CHUNK_POOLS, DTYPES
from pipelines.errors import UsageError
from pipelines.version import encorpus_version

# Rows that `verify --deep` embeds again: a second's work for most encoders.
SAMPLE_ROWS = 256

DEFAULT_CLUSTER = f"default: {ADDRESS}, else {DEFAULT_URL}"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error does; takes `-2,-1` for a value, as it does `-2`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options, allow_abbrev=False)
        self._negative_number_matcher = re.compile(r"^-\d+(,-?\d+)*$")

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line as plain values, with those of `--config` where the command line says nothing; `words` are argv.

    Raises UsageError; `--help` and `--version` print and exit as usual.
    """
    parser, commands = _parsers()
    arguments = parser.parse_args(argv)
    if getattr(arguments, "config", None):
        given, where = read_config(arguments.config), f"--config {arguments.config}"
        commands[arguments.command].set_defaults(**defaults_of(given, where, arguments.command, commands))
        arguments = parser.parse_args(argv)
    arguments.words = tuple(argv)
    return arguments


def parse_mapping(command: str, given: Mapping[str, object], where: str) -> argparse.Namespace:
    """A command's options, given under their names. where: what errors call them. Raises UsageError."""
    parser, commands = _parsers()
    commands[command].set_defaults(**defaults_of(given, where, command, commands))
    return parser.parse_args([command])


def parser_of(command: str) -> argparse.ArgumentParser:
    """What reads a command's options."""
    return _parsers()[1][command]


def _parsers() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    parser = _Parser(
        prog="encorpus",
        description="Embeds very large text corpora with TF-Hub text encoders.",
        epilog="Exit status: 0 all embedded; 1 failed; 2 usage; 3 finished, but some rows or files were rejected.",
    )
    parser.add_argument("--version", action="version", version=f"encorpus {encorpus_version()}")
    sub = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    commands = {
        "embed": sub.add_parser("embed", help="embed a corpus; run again to resume, to add new files, or to update"),
        "plan": sub.add_parser("plan", help="rows, tokens, estimated time, size and price; writes nothing"),
        "status": sub.add_parser("status", help="what is committed, what is missing, rejects"),
        "verify": sub.add_parser("verify", help="prove from the files that nothing is lost, doubled or damaged"),
        "retry": sub.add_parser("retry", help="embed again what was rejected, from corrected input"),
        "search": sub.add_parser("search", help="exact nearest neighbours, to look at the result"),
        "package": sub.add_parser("package", help="a checkpoint becomes a TF2 SavedModel in the TF-Hub encoder format"),
        "check": sub.add_parser(
            "check", help="does this SavedModel follow the encoder API; signature, sizes, fingerprint"
        ),
        "submit": sub.add_parser("submit", help="run embed as a job of a Ray cluster, from any machine"),
        "logs": sub.add_parser("logs", help="what the last job for an output has said on its cluster"),
        "cancel": sub.add_parser("cancel", help="end the job for an output on its cluster; what is committed stays"),
        "serve": sub.add_parser("serve", help="answer requests over HTTP, and encode for `embed --through`"),
        "doctor": sub.add_parser("doctor", help="what is wrong with this machine, or with the nodes of a cluster"),
        "demo": sub.add_parser("demo", help="a real small model over real text, then a search"),
    }
    _embed_options(commands["embed"])
    _plan_options(commands["plan"])
    _output_options(commands["status"])
    _cluster_option(commands["status"], "also tell of the last job for OUTPUT there: URL of its Jobs API")
    _verify_options(commands["verify"])
    _retry_options(commands["retry"])
    _search_options(commands["search"])
    _package_options(commands["package"])
    _check_options(commands["check"])
    _submit_options(commands["submit"])
    _logs_options(commands["logs"])
    _job_of_output_options(commands["cancel"])
    serve_options(commands["serve"])
    doctor_options(commands["doctor"])
    commands["demo"].add_argument(
        "folder", nargs="?", default="encorpus-demo", help="where everything goes (default: %(default)s)"
    )
    return parser, commands


def _embed_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Embeds a corpus into OUTPUT. Run the same command again to resume, or to add new files."
    _address_option(_job_options(parser))


def _job_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """What a job is, wherever it runs; the group about its workers."""
    _corpus_options(parser)
    parser.add_argument("-o", "--output", help="the folder of shards, made if it is not there")
    _vector_options(parser)
    pool = _pool_options(parser)
    parser.add_argument(
        "--update",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="embed changed files again; keep the rows of vanished ones",
    )
    parser.add_argument(
        "--prune",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="with --update: remove the rows of files that INPUT no longer holds",
    )
    parser.add_argument("--limit", type=count, metavar="N", help="stop after about N rows; run again to go on")
    parser.add_argument(
        "--profile",
        metavar="FILE",
        help="write a trace of what driver and workers spend their time on; opens in Perfetto",
    )
    parser.add_argument("--on-bad-row", choices=("reject", "fail"), default="reject", help="default: %(default)s")
    parser.add_argument("--config", metavar="FILE", help="TOML file with any of these options, under the same names")
    return pool


def _pool_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    pool = parser.add_argument_group("workers")
    pool.add_argument("--workers", type=workers, metavar="N|MIN:MAX", help="default: one a CPU core, or one a GPU")
    pool.add_argument(
        "--gpus-per-worker", type=non_negative, default=0.0, metavar="N", help="default: 0, encode on the CPU"
    )
    runtime_option(pool)
    calibrate_option(pool)
    pool.add_argument(
        "--through",
        metavar="APP",
        help="no workers, but the replicas of the `encorpus serve` of this name, beside their requests",
    )
    return pool


def _address_option(pool: argparse._ArgumentGroup) -> None:
    pool.add_argument(
        "--address",
        help="a running Ray cluster; default: Ray on this machine, for the time of the job, or with --through the one "
        "that runs here",
    )


def _submit_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Has a Ray cluster run `encorpus embed` with these options, and shows what it says."
    _job_options(parser)
    cluster = parser.add_argument_group("cluster")
    _cluster_option(cluster, f"of its Jobs API; {DEFAULT_CLUSTER}")
    cluster.add_argument(
        "--detach",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="return when the job is accepted, instead of following it",
    )
    cluster.add_argument(
        "--installed",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="run the `encorpus` that is installed there, instead of sending this one",
    )


def _cluster_option(parser: argparse._ActionsContainer, meaning: str) -> None:
    parser.add_argument("--cluster", type=cluster_url, metavar="URL", help=meaning)


def _job_of_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", metavar="OUTPUT", help="as it was given to `encorpus submit`")
    _cluster_option(parser, f"of the Jobs API; {DEFAULT_CLUSTER}")


def _logs_options(parser: argparse.ArgumentParser) -> None:
    _job_of_output_options(parser)
    parser.add_argument("--follow", action="store_true", help="until the job ends, with its exit status")


def _plan_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Says what embedding the corpus would mean. Writes nothing."
    _corpus_options(parser)
    _vector_options(parser)
    pool = parser.add_argument_group("workers")
    pool.add_argument("--workers", type=workers, metavar="N|MIN:MAX", help="default: one a CPU core")
    runtime_option(pool)
    parser.add_argument("--gpus-per-worker", type=non_negative, default=0.0, metavar="N", help=argparse.SUPPRESS)
    parser.add_argument(
        "--price-per-hour",
        type=non_negative,
        metavar="P",
        help="of one worker, in any currency; the job's price is told too",
    )
    node_options(parser)
    parser.add_argument("--config", metavar="FILE", help="TOML file with any of these options, under the same names")


def _corpus_options(parser: argparse.ArgumentParser) -> None:
    corpus = parser.add_argument_group("corpus")
    parser.add_argument(
        "inputs",
        nargs="+",
        type=input_place,
        metavar="INPUT",
        help="files, folders or globs: Parquet, JSON Lines, CSV, text",
    )
    corpus.add_argument("--text-column", default="text", metavar="NAME", help="default: %(default)s")
    corpus.add_argument("--id-column", metavar="NAME", help="default: an id from file and row position")
    corpus.add_argument(
        "--keep",
        type=column_names,
        default=(),
        metavar="NAME,...",
        help="columns, or keys of K=V folders, to carry over",
    )
    corpus.add_argument(
        "--shard-rows",
        type=count,
        metavar="N",
        help="rows of a unit, about (default: 1000 on CPUs, 50000 on GPUs, about 250 or fewer with a vector a token; "
        "in a rerun, as before)",
    )
    storage_option(corpus)


def _vector_options(parser: argparse.ArgumentParser) -> None:
    encoder = parser.add_argument_group("encoder")
    encoder.add_argument("--model", metavar="HANDLE", help="SavedModel: folder, .tar.gz, https:// handle or fsspec URI")
    encoder_options(encoder)
    encoder.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float32",
        help="of the numbers in the shards' vectors; binary: a bit each (default: %(default)s)",
    )
    chunks = parser.add_argument_group("chunks of long documents")
    chunks.add_argument(
        "--chunk-tokens",
        type=count,
        metavar="N",
        help="a document becomes chunks of at most N tokens, a row each; takes the place of --max-tokens",
    )
    chunks.add_argument(
        "--chunk-overlap",
        type=count_from_0,
        default=0,
        metavar="M",
        help="tokens that a chunk repeats of the one before (default: %(default)s)",
    )
    chunks.add_argument(
        "--chunk-pool",
        choices=CHUNK_POOLS,
        help="one vector a document, from those of its chunks; default: one a chunk",
    )


def _output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", metavar="OUTPUT", help="the folder that `encorpus embed` wrote")
    storage_option(parser)


def _verify_options(parser: argparse.ArgumentParser) -> None:
    _output_options(parser)
    parser.add_argument("--input", action="store_true", help="also compare with the corpus files, which are read again")
    parser.add_argument(
        "--deep", action="store_true", help="also look for repeated ids and zero vectors, and embed some rows again"
    )
    deep = parser.add_argument_group("with --deep")
    deep.add_argument("--sample", type=count, metavar="N", help=f"rows to embed again, about (default: {SAMPLE_ROWS})")
    deep.add_argument("--seed", type=count, metavar="N", help="chooses them; default: another one each time")
    _moved_model_options(deep)


def _moved_model_options(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--model", metavar="HANDLE", help="where the model lies now, if it has moved")
    parser.add_argument("--preprocessor", metavar="HANDLE", help="the same for its preprocessor")


def _retry_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Embeds again what was rejected: files as they are now, units whose rows may be fine by now."
    _output_options(parser)
    _moved_model_options(parser)
    _address_option(_pool_options(parser))


def _search_options(parser: argparse.ArgumentParser) -> None:
    _output_options(parser)
    parser.add_argument("query", metavar="QUERY", help="a text")
    parser.add_argument("--top", type=count, default=5, metavar="N", help="default: %(default)s")
    _moved_model_options(parser)


def _package_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="TensorFlow 1 ELECTRA checkpoint, or Hugging Face or sentence-transformers folder",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the SavedModel's folder, new")


def _check_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="handle of a SavedModel")
    parser.add_argument("--preprocessor", metavar="HANDLE", help="its companion")
    parser.add_argument("--max-tokens", type=count, metavar="N", help="default: what the model recommends, else 128")
    calibrate_option(parser)
    storage_option(parser)
