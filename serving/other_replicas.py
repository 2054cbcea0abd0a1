"""The replicas beside this one, which take parts of its large requests; which of them, Ray Serve decides."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from ray import serve

from pipelines.encoder.tokens import Tokens
from serving.meters import Meters


class OtherReplicas:
    """As `serving.spread` asks them. application, deployment: of this replica. meters: know how many there are."""

    def __init__(self, application: str, deployment: str, meters: Meters) -> None:
        self._place = deployment, application
        self._meters = meters
        self._handle: Any = None

    @property
    def count(self) -> int:
        """How many there are."""
        return self._meters.replicas - 1

    async def encode(self, model: str, tokens: Tokens) -> Sequence[np.ndarray]:
        """As Others.encode."""
        # Not before it is needed, since it has a router of its own.
        self._handle = self._handle or serve.get_deployment_handle(*self._place)
        response = self._handle.encode_part.remote(model, tokens)
        try:
            vectors = await response
        except asyncio.CancelledError:
            response.cancel()
            raise
        if vectors is None:
            raise RuntimeError("the other one has no room")
        return vectors
