"""`kill -9` of a running job, and the same command again: nothing lost, nothing doubled, nothing made twice."""

import json
import os
import random

import pytest

from tests.e2e.case import Case
from tests.e2e.killing import TARGETS, running, wait_for_shards
from tests.pipelines.job.jobs import shards_of

SOAK_KILLS = 20


def test_a_job_killed_whole_goes_on_from_what_was_committed(tiny_model, tmp_path):
    case = Case(tmp_path, tiny_model, rows=6000, shard_rows=20)
    with running(*case.command, log=case.log) as run:
        assert wait_for_shards(run, case.output, 40)
        assert run.kill("everything", random.Random(0))
    before = shards_of(case.output)
    with running(*case.command, log=case.log) as run:
        assert run.wait() == 3
    after = shards_of(case.output)
    assert len(before) < len(after)
    assert {name: after[name] for name in before} == before
    case.assert_whole(tiny_model)


@pytest.mark.soak
def test_twenty_kills_at_random_moments_lose_and_double_nothing(tiny_model, tmp_path):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"\nSEED={seed}")
    choice = random.Random(seed)
    case = Case(tmp_path, tiny_model, rows=60_000, shard_rows=20)
    units = 3 * (20_000 // 20)
    killed = dict.fromkeys(TARGETS, 0)
    committed: dict[str, tuple[int, bytes]] = {}
    while sum(killed.values()) < SOAK_KILLS:
        left = SOAK_KILLS - sum(killed.values())
        with running(*case.command, log=case.log) as run:
            while run.alive and sum(killed.values()) < SOAK_KILLS:
                here = len(shards_of(case.output))
                assert wait_for_shards(run, case.output, here + choice.randint(0, (units - here) // (left + 1)))
                target = choice.choice(TARGETS)
                if run.kill(target, choice):
                    killed[target] += 1
                    left = SOAK_KILLS - sum(killed.values())
        found = shards_of(case.output)
        assert {name: found.get(name) for name in committed} == committed
        committed = found
        print(f"{sum(killed.values())} kills, {len(committed)} of {units} shards")
    with running(*case.command, log=case.log) as run:
        assert run.wait() == 3
    found = shards_of(case.output)
    assert {name: found.get(name) for name in committed} == committed
    case.assert_whole(tiny_model)
    print(json.dumps({"kills": killed, "shards": len(found), "lost": 0, "doubled": 0}))
