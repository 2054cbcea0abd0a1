"""The replicas beside this one, which take parts of its large requests; which of them, Ray Serve decides."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ray import serve

from pipelines.encoder.tokens import Tokens
from serving.in_thread import in_thread


class OtherReplicas:
    """As `serving.spread` asks them. application, deployment: of this replica. replicas: tells how many there are, with
    this one."""

    def __init__(self, application: str, deployment: str, replicas: Callable[[], int]) -> None:
        self._place = deployment, application
        self._replicas = replicas
        self._handle: asyncio.Task[Any] | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return self._replicas() - 1

    async def encode(self, model: str, fingerprint: str, tokens: Tokens, seconds: float) -> Sequence[np.ndarray]:
        """As Others.encode."""
        # All parts of a request come at once, and one handle does for all of them.
        if self._handle is None or _failed(self._handle):
            self._handle = asyncio.ensure_future(self._make_handle())
        response = (await asyncio.shield(self._handle)).encode_part.remote(model, fingerprint, tokens, seconds)
        try:
            vectors = await response
        except asyncio.CancelledError:
            response.cancel()
            raise
        if vectors is None:
            raise RuntimeError("the other one has no room, or another model")
        return vectors

    async def _make_handle(self) -> Any:
        """Not before it is needed, since it has a router of its own. It asks Serve's controller, which may be away."""
        return await in_thread(lambda: serve.get_deployment_handle(*self._place, _check_exists=False))


def _failed(task: "asyncio.Task[Any]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
