"""Connections to the ledger that break fail no unit, and double nothing that is said."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import ray

from pipelines.corpus.plan import Unit
from pipelines.job.follow import ledger_actor
from pipelines.job.ledger import Copy
from pipelines.job.remote_ledger import RemoteLedger
from tests.pipelines.job.ledger_speaker import Speaker

UNIT = Unit(0, 0)
# So many of a process's first calls of actors Ray itself breaks off, on their way, on the answer's, or between.
BROKEN = 4


@pytest.fixture
def ledger(ray_session) -> Iterator[Any]:
    actor = ledger_actor([UNIT])
    yield actor
    ray.kill(actor)


@pytest.mark.parametrize("kind", ["req_failure_prob", "resp_failure_prob", "in_flight_failure_prob"])
def test_what_is_said_over_connections_that_break_is_heard_once(ledger, kind):
    broken = {"CoreWorkerService.grpc_client.PushTask": {"num_failures": BROKEN, kind: 100}}
    environment = {"env_vars": {"RAY_testing_rpc_failure": json.dumps(broken)}}
    speaker = ray.remote(Speaker).options(runtime_env=environment, num_cpus=0).remote()
    assert ray.get(speaker.speak.remote(RemoteLedger(ledger), UNIT.name, BROKEN)) == [Copy(UNIT, last=False)] * BROKEN
    assert [record.unit for record in ray.get(ledger.take.remote())] == [UNIT.name]
    assert not ray.get(ledger.unfinished.remote())
