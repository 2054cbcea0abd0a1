"""Parsed options become what is served."""

import argparse
import ipaddress
import os
import re
from pathlib import Path

from pipelines.encoder.spec import EncoderSpec, resolve_spec
from pipelines.errors import UsageError
from pipelines.job.pool_size import PoolSize, pool_size
from serving.http.api_keys import ApiKey, KeyFile, keys_of_environment
from serving.settings import Serving

KEYS_VARIABLE = "ENCORPUS_API_KEYS"

ARCHIVE = re.compile(r"\.(tar\.gz|tgz|tar)$")


def serving_of(arguments: argparse.Namespace) -> Serving:
    """What `serve` was asked for. Raises UsageError: no model, two of one name, no keys where they are needed."""
    return Serving(
        models=_models(arguments),
        keys=_keys(arguments),
        batch_floor=arguments.batch_floor,
        runtime=arguments.runtime,
        storage_options=dict(arguments.storage_option),
    )


def require_vectors(serving: Serving) -> None:
    """Fetches the models. Raises ModelError where one is not there, UsageError where one gives no vector a text."""
    for spec in serving.models.values():
        if resolve_spec(spec, serving.storage_options).pooling == "sequence":
            raise UsageError(
                f"--model {spec.model} recommends --pooling sequence: no vector a text; give another --pooling, and "
                "ask `:predict` for sequence_output"
            )


def replicas_of(arguments: argparse.Namespace) -> PoolSize:
    """The replicas asked for, with what each of them gets of the connected cluster."""
    from pipelines.job.session import nodes_with

    nodes = nodes_with("CPU"), nodes_with("GPU")
    # A cluster may start nodes with GPUs only when replicas ask for them.
    later = bool(arguments.address)
    return pool_size(
        arguments.replicas, arguments.gpus_per_replica, *nodes, option="--gpus-per-replica", nodes_may_come=later
    )


def default_name(handle: str) -> str:
    """What a model is called: the last part of its handle that is no version.

    >>> default_name("https://tfhub.dev/google/electra_large/2"), default_name("models/minilm.tar.gz")
    ('electra_large', 'minilm')
    """
    parts = [part for part in ARCHIVE.sub("", handle.partition("?")[0]).split("/") if part]
    while len(parts) > 1 and parts[-1].isdecimal():
        parts.pop()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", parts[-1] if parts else "").strip("-._") or "model"


def _models(arguments: argparse.Namespace) -> dict[str, EncoderSpec]:
    if not arguments.model:
        raise UsageError("--model is missing: name a SavedModel (`encorpus package` makes one from a checkpoint)")
    if arguments.pooling == "sequence":
        raise UsageError("--pooling sequence: no vector a text; leave it out, and ask `:predict` for sequence_output")
    models: dict[str, EncoderSpec] = {}
    for name, handle in arguments.model:
        name = name or default_name(handle)
        if name in models:
            raise UsageError(
                f"--model {handle}: there is a model called {name} already; name it: --model NAME={handle}"
            )
        models[name] = EncoderSpec(
            model=handle,
            preprocessor=arguments.preprocessor,
            pooling=arguments.pooling,
            layers=arguments.layers,
            normalize=arguments.normalize,
            max_tokens=arguments.max_tokens,
            precision=arguments.precision,
        )
    return models


def _keys(arguments: argparse.Namespace) -> Path | tuple[ApiKey, ...] | None:
    if arguments.no_auth:
        return None
    if arguments.api_keys:
        path = Path(arguments.api_keys).absolute()
        KeyFile(path)  # or the replicas would find it wrong, one after the other
        return path
    if keys := keys_of_environment(os.environ.get(KEYS_VARIABLE, "")):
        return keys
    if arguments.address or not is_loopback(arguments.host):
        # The Ray Serve of a cluster may run already, and then listens where it was told to, whatever --host says.
        where = "on a cluster" if arguments.address else f"--host {arguments.host}"
        raise UsageError(
            f"{where}: others reach it, and it would answer everybody; give --api-keys FILE or set "
            f"{KEYS_VARIABLE}, or say --no-auth where something in front of it keeps strangers out"
        )
    return None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
