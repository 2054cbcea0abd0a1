"""Requests made from the OpenAPI document, good, bad and on the edge, and whether each answer is as the document says.

    python -m tests.serving.http.hostile_requests 500

sends that many at random to each operation that has a body, by each door, after those of every edge that the document
has; the same ones each time. It says how many were answered with which status, and fails where an answer was wrong.
"""

import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from serving.http.api_keys import ApiKey, FixedKeys
from serving.http.http_app import Limits, http_app
from serving.served_model import ServedModel
from tests.serving.fake_encoder import FakeEncoder
from tests.serving.http.http_server import ask, running

KEY, SPENT_KEY = "a-good-key", "a-key-with-a-limit"
KEYS = FixedKeys(
    (
        ApiKey("good", hashlib.sha256(KEY.encode()).hexdigest()),
        ApiKey("spent", hashlib.sha256(SPENT_KEY.encode()).hexdigest(), requests_per_minute=1),
    )
)
NAMES = ("small", "org/small")
SECONDS_TO_AN_ANSWER = 10


@dataclass(frozen=True)
class Door:
    """keys: whom the server lets in, None for everybody. key: sent with every request; None for none, or a made-up
    one."""

    keys: FixedKeys | None = None
    key: str | None = None


DOORS = {
    "open": Door(),
    "with a key": Door(KEYS, KEY),
    "without a key": Door(KEYS),
    "with a spent key": Door(KEYS, SPENT_KEY),
}


@dataclass
class Tally:
    """statuses: of the answers; None counts the requests that had none. operations: answers by `METHOD path`.
    wrong: what was not as the document says, each with how to ask for it again."""

    statuses: Counter[int | None] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return self.statuses.total()


def ask_everything(door: Door, examples: int) -> Tally:
    """Sends a server every edge of its document, and `examples` requests at random to each operation with a body."""
    tally = Tally()
    with served(door.keys) as url:
        document = ask(f"{url}/openapi.json").json
        schema = schemathesis.openapi.from_dict(document, config=_config(url, door.key, examples))
        for event in from_schema(schema).execute():
            _count(event, tally)
    return tally


@contextmanager
def served(keys: FixedKeys | None) -> Iterator[str]:
    """The address of the application over two models."""
    models = {name: ServedModel(name, FakeEncoder(), 1 << 22, batch_floor=0.1, deadline_seconds=30) for name in NAMES}
    try:
        with running(http_app(models, keys, Limits())) as url:
            yield url
    finally:
        for model in models.values():
            model.stop()


def _config(url: str, key: str | None, examples: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "suppress-health-check": ["all"],  # whether generating was slow is no matter of the server's
            "base-url": url,
            "headers": {"Authorization": f"Bearer {key}"} if key else {},
            "request-timeout": SECONDS_TO_AN_ANSWER,
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "deterministic": True, "database": "none", "no-shrink": True},
            "phases": {"stateful": {"enabled": False}},
            # No schema says that a text is short enough for the model, or that base64 holds UTF-8.
            "checks": {"positive_data_acceptance": {"enabled": False}},
        }
    )


def _count(event: events.EngineEvent, tally: Tally) -> None:
    if isinstance(event, events.NonFatalError):
        tally.wrong.append(f"{event.label}: {event.info.title}: {event.value!r}")
    elif isinstance(event, events.FatalError):
        raise event.exception
    elif isinstance(event, events.ScenarioFinished):
        recorder = event.recorder
        for interaction in recorder.interactions.values():
            tally.statuses[interaction.response.status_code if interaction.response else None] += 1
        tally.operations[recorder.label] += len(recorder.interactions)
        failed = [check.failure_info for checks in recorder.checks.values() for check in checks if check.failure_info]
        tally.wrong += [
            f"{recorder.label}: {info.failure.title}: {info.failure.message}\n{info.code_sample}" for info in failed
        ]


def main(examples: int) -> int:
    total = Tally()
    begun = time.monotonic()
    for name, door in DOORS.items():
        tally = ask_everything(door, examples)
        print(f"{name}: {_told(tally)}", flush=True)
        for wrong in tally.wrong:
            print(f"WRONG {wrong}\n")
        total.statuses += tally.statuses
        total.wrong += tally.wrong
    print(f"all: {_told(total)}; {len(total.wrong)} wrong; {time.monotonic() - begun:.0f} s")
    return 1 if total.wrong or total.statuses[None] else 0


def _told(tally: Tally) -> str:
    by_status = sorted(tally.statuses.items(), key=str)
    return f"{tally.cases:,} requests; " + ", ".join(f"{status or 'no answer'}: {n:,}" for status, n in by_status)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
