"""The Ray Serve application: replicas that each hold the models, answer HTTP, and do batch jobs' work beside it."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
from ray import serve
from ray.serve import Application
from starlette.applications import Starlette

from pipelines.encoder.tokens import Tokens
from pipelines.job.pool_size import PoolSize
from serving.autoscaling import LOAD, OnlineLoad, autoscaling_config
from serving.batch.batch_call import Call, Wanted
from serving.http.access_log import write_access_log
from serving.http.api_keys import ApiKey, FixedKeys, KeyFile
from serving.http.doors import Doors
from serving.http.http_app import http_app
from serving.in_thread import in_thread
from serving.lanes.lanes import Lane, MicroBatch
from serving.metrics import Metrics, ModelMeter
from serving.other_replicas import OtherReplicas
from serving.served_model import ServedModel
from serving.settings import Serving
from serving.shared_metrics import SharedMetrics

# Requests that a replica holds at once; its own queue says no by tokens, long before.
MOST_REQUESTS = 4096

log = logging.getLogger(__name__)


def application(serving: Serving, size: PoolSize) -> Application:
    """An application for `serve.run`. size: how many replicas, and what each of them gets."""
    replicas: dict[str, Any] = (
        {"num_replicas": size.most}
        if size.least == size.most
        else {"autoscaling_config": autoscaling_config(size.least, size.most)}
    )
    deployment = serve.deployment(EncoderReplica).options(
        **replicas,
        max_ongoing_requests=MOST_REQUESTS,
        graceful_shutdown_timeout_s=serving.stop_seconds,
        # There is one of ours.
        logging_config={"enable_access_log": False},
        ray_actor_options={"num_cpus": size.cpus_per_worker, "num_gpus": size.gpus_per_worker},
    )
    return deployment.bind(serving, None if size.gpus_per_worker else size.cpus_per_worker)


@serve.ingress()
class EncoderReplica:
    """Holds the models; is ready when they are loaded and warm."""

    def __init__(self, serving: Serving, threads: int | None) -> None:
        """threads: of the CPU, None for all."""
        from pipelines.encoder.text_encoder import TextEncoder
        from serving.batch.batch_lane import Served
        from serving.batch.batch_work import BatchWork

        write_access_log()
        self._serving = serving
        self._load = OnlineLoad()
        self._doors = Doors()
        replica = serve.get_replica_context()
        self._metrics = Metrics(replica.replica_id.unique_id)
        self._shared = SharedMetrics(replica.app_name, self._metrics)
        others = OtherReplicas(replica.app_name, replica.deployment, lambda: self._shared.replicas)
        self._models: dict[str, ServedModel] = {}
        served: dict[str, Served] = {}
        for name, spec in serving.models.items():
            encoder = TextEncoder.load(spec, threads, serving.storage_options, serving.runtime)
            encoder.warm()
            meter = _LoadMeter(self._metrics, name, encoder.token_budget, self._load)
            self._models[name] = ServedModel(
                name, encoder, serving.most_waiting, serving.batch_floor, serving.deadline_seconds, meter, others
            )
            self._metrics.watch(self._models[name])
            served[name] = Served(encoder, self._models[name].lanes)
            log.info("serving %s by %s, fingerprint %s", name, encoder.runtime, encoder.fingerprint)
        self._batch_work = BatchWork(served)
        self._shared.start()

    async def refuses_batch_work(self, wanted: Wanted) -> str | None:
        """Why no model here fits a job; None where one does."""
        return await in_thread(lambda: self._batch_work.refusal(wanted))

    async def do_batch_work(self, call: Call) -> bool:
        """Does a task of a job: of a run of units as many as half a minute allows, one at least; a streamed file to the
        end. False as in BatchWork.do."""
        return await in_thread(lambda: self._batch_work.do(call))

    async def encode_part(self, model: str, fingerprint: str, tokens: Tokens, seconds: float) -> np.ndarray | None:
        """As ServedModel.encode_part."""
        served = self._models.get(model)
        return await served.encode_part(fingerprint, tokens, seconds) if served else None

    def __serve_build_asgi_app__(self) -> Starlette:
        keys = _key_source(self._serving.keys)
        return http_app(self._models, keys, self._serving.limits, self._metrics, self._shared.exposition, self._doors)

    async def close(self) -> None:
        """Takes no more requests, and is back when those that were taken are answered."""
        await self._doors.close()

    def check_health(self) -> None:
        """Ray Serve replaces a replica of which this raises."""
        for model in self._models.values():
            if trouble := model.trouble():
                raise RuntimeError(f"model {model.name}: {trouble}")

    def record_autoscaling_stats(self) -> dict[str, float]:
        """For Ray Serve, which gives it to the policy of `serving.autoscaling`."""
        waiting = (
            model.waiting(Lane.ONLINE) / (model.lanes.throughput.tokens_per_second or math.inf)
            for model in self._models.values()
        )
        return {LOAD: self._load.take(sum(waiting))}


class _LoadMeter(ModelMeter):
    """Counts what a micro-batch did for people as the replica's load, too."""

    def __init__(self, metrics: Metrics, model: str, token_budget: int, load: OnlineLoad) -> None:
        super().__init__(metrics, model, token_budget)
        self._load = load

    def micro_batch(self, batch: MicroBatch, positions: int, seconds: float) -> None:
        super().micro_batch(batch, positions, seconds)
        self._load.add(seconds * batch.online / len(batch.rows))


def _key_source(keys: Path | tuple[ApiKey, ...] | None) -> KeyFile | FixedKeys | None:
    if keys is None:
        return None
    return KeyFile(keys) if isinstance(keys, Path) else FixedKeys(keys)
