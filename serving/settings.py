"""What is served, and how: plain values, the same in every replica."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.encoder.spec import EncoderSpec
from pipelines.job.ledger import GIVEN_UP_SECONDS
from serving.http.api_keys import ApiKey
from serving.http.http_app import Limits

# Beside the deadline of requests, for what a replica that stops has in hand.
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Serving:
    """What replicas need to know.

    models: encoder specs by the names that clients say. keys: who may ask, or the file that says so, which is read
    again when it changes; None lets everybody. most_waiting: tokens in the online lane. batch_floor: share of the
    encoder that the batch lane gets at least. deadline_seconds: after which a request is given up. runtime: one of
    RUNTIMES, of every replica.
    """

    models: Mapping[str, EncoderSpec]
    keys: Path | tuple[ApiKey, ...] | None = None
    most_waiting: int = 1 << 18
    batch_floor: float = 0.05
    deadline_seconds: float = 60.0
    limits: Limits = field(default_factory=Limits)
    runtime: str = "tensorflow"
    storage_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError where a replica that stops could still commit what its job has given to another."""
        if self.stop_seconds > GIVEN_UP_SECONDS:
            raise ValueError(f"deadline_seconds may be {GIVEN_UP_SECONDS - STOP_SECONDS:g} at most")

    @property
    def stop_seconds(self) -> float:
        """That a replica has for what is in hand when it is told to stop."""
        return self.deadline_seconds + STOP_SECONDS
