"""The Ray Serve application: replicas that each hold the models and answer HTTP."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve import Application
from starlette.applications import Starlette

from pipelines.encoder.spec import EncoderSpec
from serving.api_keys import KeyFile
from serving.http_app import Limits, http_app
from serving.served_model import ServedModel

# Requests that a replica holds at once; its own queue says no by tokens, long before.
MOST_REQUESTS = 4096

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """What is served, and how.

    models: encoder specs by the names that clients say. keys: a file of API keys, None lets everybody ask. threads: CPU
    threads of a replica, None for all. most_waiting: tokens in the online lane. batch_floor: share of the encoder that
    the batch lane gets at least. deadline_seconds: after which a request is given up.
    """

    models: Mapping[str, EncoderSpec]
    keys: str | None = None
    threads: int | None = None
    most_waiting: int = 1 << 18
    batch_floor: float = 0.05
    deadline_seconds: float = 60.0
    limits: Limits = field(default_factory=Limits)
    storage_options: Mapping[str, Any] = field(default_factory=dict)


def application(serving: Serving, replicas: int = 1, name: str = "encoder") -> Application:
    """An application for `serve.run`, of so many replicas."""
    deployment = serve.deployment(EncoderReplica).options(
        name=name,
        num_replicas=replicas,
        max_ongoing_requests=MOST_REQUESTS,
        ray_actor_options={"num_cpus": serving.threads or 1},
    )
    return deployment.bind(serving)


@serve.ingress()
class EncoderReplica:
    """Holds the models; is ready when they are loaded and warm."""

    def __init__(self, serving: Serving) -> None:
        from pipelines.encoder.text_encoder import TextEncoder

        self._serving = serving
        self._models: dict[str, ServedModel] = {}
        for name, spec in serving.models.items():
            encoder = TextEncoder.load(spec, serving.threads, serving.storage_options)
            encoder.warm()
            self._models[name] = ServedModel(
                name, encoder, serving.most_waiting, serving.batch_floor, serving.deadline_seconds
            )
            log.info("serving %s, fingerprint %s", name, encoder.fingerprint)

    def __serve_build_asgi_app__(self) -> Starlette:
        keys = KeyFile(Path(self._serving.keys)) if self._serving.keys else None
        return http_app(self._models, keys, self._serving.limits)
