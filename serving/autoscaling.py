"""How many replicas online requests need: as many as keep each a bit less than busy, and the queue short.

What the batch lane does is no load: it takes the time that people leave over, whatever the number of replicas.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy

# The metric's name between a replica and the policy.
LOAD = "load"

# A replica that is busy with online requests for this share of the time is one that is well used.
TARGET_LOAD = 0.7
# A queue of so many seconds is one replica's work too many.
QUEUE_SECONDS = 1.0

LOOK_BACK_SECONDS = 10.0
UP_AFTER_SECONDS = 5.0
# A replica loads and compiles for a minute or so; one that is gone too soon costs that again.
DOWN_AFTER_SECONDS = 300.0


class OnlineLoad:
    """The load of one replica's models: 1 is a replica that online requests keep busy without a queue."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._busy = 0.0

    def add(self, seconds: float) -> None:
        """Seconds that were spent on online rows."""
        self._busy += seconds

    def take(self, queue_seconds: float) -> float:
        """The load since this was asked last. queue_seconds: the work that waits in the online lanes."""
        now = self._clock()
        busy = self._busy / max(now - self._since, 1e-6)
        self._since, self._busy = now, 0.0
        return min(busy, 1.0) + queue_seconds / QUEUE_SECONDS


def replicas_for(load: float, requests: float) -> int:
    """The number for the sum of the replicas' loads. requests: that are under way; one replica stays with them."""
    return max(math.ceil(load / TARGET_LOAD - 1e-9), 1 if requests > 0 else 0)


def policy(context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
    """For Ray Serve, which keeps to its bounds and waits before it acts."""
    loads = (context.aggregated_metrics or {}).get(LOAD, {})
    return replicas_for(sum(loads.values()), context.total_num_requests), {}


def autoscaling_config(least: int, most: int) -> AutoscalingConfig:
    """From so many to so many replicas, 0 included."""
    return AutoscalingConfig(
        min_replicas=least,
        initial_replicas=max(1, least),
        max_replicas=most,
        policy=AutoscalingPolicy(policy_function=policy),
        look_back_period_s=LOOK_BACK_SECONDS,
        upscale_delay_s=UP_AFTER_SECONDS,
        downscale_delay_s=DOWN_AFTER_SECONDS,
    )
