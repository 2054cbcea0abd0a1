"""The application on Ray Serve, with a real encoder: what it answers is what `embed` writes."""

import re
import socket
import urllib.request
from collections.abc import Iterator

import numpy as np
import openai
import pytest
from ray import serve

from pipelines.encoder.spec import EncoderSpec
from pipelines.job.embed import Job, embed
from pipelines.job.pool_size import PoolSize
from serving.application import application
from serving.settings import Serving
from tests.pipelines.job.jobs import COLUMNS, SHARD_ROWS, rows_written, texts_of, write_parquet
from tests.serving.http.http_server import wait_for

TEXTS = texts_of("a", 40)


@pytest.fixture(scope="module")
def spec(tiny_model):
    return EncoderSpec(str(tiny_model), pooling="mean", max_tokens=32)


@pytest.fixture(scope="module")
def written(ray_session, spec, tmp_path_factory) -> dict[str, np.ndarray]:
    """The vectors that `embed` writes. Before anything is served, since a replica takes a CPU."""
    folder = tmp_path_factory.mktemp("written")
    write_parquet(folder / "a.parquet", TEXTS)
    embed(Job((str(folder / "a.parquet"),), str(folder / "out"), spec, COLUMNS, SHARD_ROWS, workers=(1, 1)))
    return rows_written(folder / "out")


@pytest.fixture(scope="module")
def client(written, spec) -> Iterator[openai.OpenAI]:
    port = free_port()
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    # Two, and so both of Ray's CPUs.
    serve.run(application(Serving({"tiny": spec}), PoolSize(2, 2, 1, 0.0)), name="tests", route_prefix="/")
    yield openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="-", max_retries=0)
    serve.shutdown()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_a_vector_served_is_the_vector_that_embed_writes(client, written):
    answers = client.embeddings.create(model="tiny", input=list(TEXTS.values()))
    served = {name: item.embedding for name, item in zip(TEXTS, answers.data, strict=True)}
    np.testing.assert_allclose([served[name] for name in written], list(written.values()), rtol=0, atol=1e-4)


def test_a_large_request_is_encoded_by_all_replicas(client, written):
    texts = [f"{text} {number}" for number in range(51) for text in TEXTS.values()]
    name, vector = next(iter(written.items()))

    def spread() -> bool:
        before = rows_by_replica(client)
        answer = client.embeddings.create(model="tiny", input=[*texts, TEXTS[name]])
        np.testing.assert_allclose(answer.data[-1].embedding, vector, rtol=0, atol=1e-4)
        gained = [rows - before.get(replica, rows) for replica, rows in rows_by_replica(client).items()]
        return len(gained) == 2 and min(gained) > len(set(texts)) // 4

    # A replica knows of another one within a second or two.
    wait_for(spread)


def rows_by_replica(client: openai.OpenAI) -> dict[str, float]:
    """Rows encoded online, as the metrics tell."""
    with urllib.request.urlopen(str(client.base_url.copy_with(path="/metrics"))) as response:
        text = response.read().decode()
    found = re.findall(r'^encorpus_rows_total\{.*lane="online".*replica="(.*?)".*\} (\S+)$', text, re.MULTILINE)
    return {replica: float(rows) for replica, rows in found}
