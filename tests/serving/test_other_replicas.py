"""The handle to the other replicas: one for all, made when it is needed, and again where that failed."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray import serve

from serving.other_replicas import OtherReplicas
from tests.serving.fake_encoder import FakeEncoder

TOKENS = FakeEncoder.tokenize(["a text"])


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """For each handle that was made, its application. The first cannot be made where that is `away`."""
    made: list[str] = []

    def handle(deployment: str, application: str, _check_exists: bool) -> Any:
        made.append(application)
        if made == ["away"]:
            raise RuntimeError("the controller does not answer")
        return SimpleNamespace(encode_part=SimpleNamespace(remote=answer))

    async def answer(*_: Any) -> np.ndarray:
        return np.zeros((1, 3))

    monkeypatch.setattr(serve, "get_deployment_handle", handle)
    return made


async def encoded(others: OtherReplicas, times: int) -> list[Any]:
    asked = (others.encode("small", "f" * 64, TOKENS, 30.0) for _ in range(times))
    return await asyncio.gather(*asked, return_exceptions=True)


def test_parts_that_come_at_once_share_a_handle(made):
    others = OtherReplicas("app", "EncoderReplica", lambda: 4)
    assert len(asyncio.run(encoded(others, 3))) == 3
    assert made == ["app"]


def test_a_handle_that_could_not_be_made_is_made_again(made):
    others = OtherReplicas("away", "EncoderReplica", lambda: 4)

    async def ask_twice() -> list[Any]:
        return await encoded(others, 1) + await encoded(others, 1)

    failed, found = asyncio.run(ask_twice())
    assert isinstance(failed, RuntimeError)
    assert found.shape == (1, 3)
