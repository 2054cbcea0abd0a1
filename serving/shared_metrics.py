"""The metrics of all replicas behind one address: each pushes its text to a small Ray actor, and any answers a scrape.

The actor belongs to the replica that made it. It is gone with the last one; where it goes before, the next push of
another replica makes a new one. Serving does not wait for it, and goes on without it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import ray

from serving.metrics import Metrics, merged

PUSH_SECONDS = 1.0
# A replica that has not pushed for so long is no more.
FORGET_SECONDS = 10.0
# After which a push is given up, and a scrape is answered with what this replica knows itself.
PUSH_TIMEOUT_SECONDS = 5.0
SCRAPE_TIMEOUT_SECONDS = 2.0

log = logging.getLogger(__name__)


class Board:
    """The last text of each replica. clock: in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._texts: dict[str, tuple[float, str]] = {}

    def push(self, replica: str, text: str) -> int:
        """Takes the text of a replica in the place of its last one, and gives how many replicas there are."""
        self._texts[replica] = self._clock(), text
        return len(self.texts())

    def texts(self) -> dict[str, str]:
        """The texts of the replicas that have pushed lately."""
        since = self._clock() - FORGET_SECONDS
        self._texts = {replica: told for replica, told in self._texts.items() if told[0] > since}
        return {replica: text for replica, (_, text) in self._texts.items()}


class SharedMetrics:
    """Pushes the metrics of this replica every second from `start` on, in a thread of its own; so it knows of others.

    application: whose replicas belong together. replicas: how many there are, as of the last push.
    """

    def __init__(self, application: str, metrics: Metrics) -> None:
        self._name = f"encorpus-metrics-{application}"
        self._metrics = metrics
        self.replicas: int = 1
        self._board: Any = None

    def start(self) -> None:
        """The replica takes requests from now on."""
        threading.Thread(target=self._run, name="metrics", daemon=True).start()

    async def exposition(self) -> str:
        """The metrics of all replicas in Prometheus' text format."""
        texts: dict[str, str] = {}
        if board := self._board:
            try:
                texts = await asyncio.wait_for(board.texts.remote(), SCRAPE_TIMEOUT_SECONDS)
            except Exception as error:  # the actor is gone, or far away
                log.warning("the metrics of the other replicas are missing: %s", error)
        return merged(list((texts | {self._metrics.replica: self._metrics.exposition()}).values()))

    def _run(self) -> None:
        while True:
            try:
                self._push()
            except Exception as error:  # the actor is gone; so is, perhaps, all of Ray
                self._board = None
                log.info("the metrics could not be pushed: %s", error)
            time.sleep(PUSH_SECONDS)

    def _push(self) -> None:
        if self._board is None:
            self._board = ray.remote(Board).options(name=self._name, get_if_exists=True, num_cpus=0).remote()
        pushed = self._board.push.remote(self._metrics.replica, self._metrics.exposition())
        self.replicas = int(ray.get(pushed, timeout=PUSH_TIMEOUT_SECONDS))
