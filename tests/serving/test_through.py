"""Jobs through a running application: what they write is what `embed` writes, whatever becomes of the replicas."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ray import serve

from pipelines.encoder.spec import EncoderSpec
from pipelines.job.embed import Job, embed
from pipelines.job.ledger import UnitLedger
from pipelines.job.pool_size import PoolSize
from pipelines.job.record import Outcome
from pipelines.job.tasks import tasks_for
from pipelines.job.work_order import work_order
from pipelines.job.worker import EmbedWorker
from pipelines.output.verify import verify
from serving.application import application
from serving.settings import Serving
from serving.through import through
from tests.pipelines.job.jobs import job_of as whole_job_of
from tests.pipelines.job.jobs import json_lines, output_of, shards_of, spec_of, texts_of, write_parquet
from tests.serving.test_application import free_port

APPLICATION = "through"
ONE_REPLICA = PoolSize(1, 1, 1, 0.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Parquet, which is cut, and a gzip file, which is streamed; some texts are long."""
    folder = tmp_path_factory.mktemp("corpus")
    write_parquet(folder / "a.parquet", {**texts_of("a", 90), "long": "the film was good " * 40})
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(json_lines(texts_of("b", 70))))
    return folder


@pytest.fixture(scope="module")
def spec(tiny_model) -> EncoderSpec:
    return spec_of(tiny_model)


# What is for the job alone to say, whatever is served; and by how much its numbers may differ: by what rounding makes
# of 1e-4.
VARIANTS = {
    "float16": ({"dtype": "float16"}, 1e-3),
    "int8": ({"dtype": "int8"}, 1),
    "binary": ({"dtype": "binary"}, 0),
    "sequence": ({"pooling": "sequence"}, 1e-4),
    "fewer tokens": ({"max_tokens": 16}, 1e-4),
    "chunks": ({"max_tokens": None, "chunk_tokens": 16, "chunk_overlap": 4}, 1e-4),
    "mean of chunks": ({"max_tokens": None, "chunk_tokens": 16, "chunk_pool": "mean", "dtype": "float16"}, 1e-3),
}


@pytest.fixture(scope="module")
def own(ray_session, corpus, spec, tmp_path_factory) -> Path:
    """The output of a pool of its own. Before anything is served, since a replica takes a CPU."""
    output = tmp_path_factory.mktemp("own") / "out"
    embed(job_of(corpus, output, spec))
    return output


@pytest.fixture(scope="module")
def serving(spec) -> Serving:
    return Serving({"tiny": spec, "states": replace(spec, pooling="sequence")})


@pytest.fixture(scope="module")
def port(own, serving) -> Iterator[int]:
    port = free_port()
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(application(serving, ONE_REPLICA), name=APPLICATION, route_prefix="/")
    yield port
    serve.shutdown()


def job_of(corpus: Path, output: Path, spec: EncoderSpec, **options) -> Job:
    return whole_job_of(corpus, output, Path(spec.model), encoder=spec, **{"workers": (1, 1), **options})


def embed_through(job: Job, application: str = APPLICATION, **options):
    with through(application, job) as workforce:
        return embed(job, workforce=workforce, **options)


def by_itself(prepared, work, history):
    """A workforce of one worker in this process, with an encoder of its own."""
    ledger = UnitLedger()
    worker = EmbedWorker(work_order(prepared, threads=1), ledger)
    for task in tasks_for(work, workers=1):
        worker.do(task)
    yield from (record for record in ledger.take() if record.outcome is not Outcome.ENDED)


def assert_same(output: Path, due: Path, tolerance: float) -> None:
    """The same shards, with the same rows in them, and numbers that differ by no more."""
    assert list(shards_of(output)) == list(shards_of(due))
    for name in shards_of(due):
        found, expected = pq.read_table(output / name), pq.read_table(due / name)
        assert found.drop_columns("embedding").equals(expected.drop_columns("embedding"))
        np.testing.assert_allclose(numbers_of(found), numbers_of(expected), rtol=0, atol=tolerance)


def numbers_of(shard: pa.Table) -> np.ndarray:
    """All numbers in the vectors, one after the other."""
    numbers = shard["embedding"].combine_chunks()
    while not pa.types.is_primitive(numbers.type):
        numbers = numbers.flatten()
    return numbers.to_numpy().astype(np.float64)


def test_a_job_writes_the_same_as_with_a_pool_of_its_own(port, own, corpus, spec, tmp_path):
    summary = embed_through(job_of(corpus, tmp_path / "out", spec))
    assert summary.failures == ()
    assert summary.stats.texts == 161
    assert verify(output_of(tmp_path / "out")).violations == ()
    assert_same(tmp_path / "out", own, 1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_for_the_job_to_say_is_as_with_an_encoder_of_its_own(port, corpus, spec, tmp_path, variant):
    options, tolerance = VARIANTS[variant]
    spec = replace(spec, **options)
    summary = embed_through(job_of(corpus, tmp_path / "out", spec))
    alone = embed(job_of(corpus, tmp_path / "alone", spec), workforce=by_itself)
    assert summary.failures == alone.failures == ()
    assert (summary.stats.tokens, summary.fingerprint) == (alone.stats.tokens, alone.fingerprint)
    assert_same(tmp_path / "out", tmp_path / "alone", tolerance)
