"""Jobs through a running application: what they write is what `embed` writes, whatever becomes of the replicas."""

import gzip
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openai
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ray import serve
from ray.exceptions import RayTaskError

from pipelines.encoder.spec import EncoderSpec
from pipelines.errors import EncorpusError, UsageError
from pipelines.job.embed import Job, embed
from pipelines.job.ledger import UnitLedger
from pipelines.job.pool_size import PoolSize
from pipelines.job.record import Outcome
from pipelines.job.tasks import tasks_for
from pipelines.job.work_order import work_order
from pipelines.job.worker import EmbedWorker
from pipelines.output.verify import verify
from serving.application import application
from serving.batch import application_state
from serving.batch import through as through_module
from serving.batch.application_state import Seen
from serving.batch.batch_call import Wanted
from serving.batch.through import through
from serving.settings import Serving
from tests.cluster.command_line import encorpus
from tests.pipelines.job.faults import DeadlyStorage, StuckStorage
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


def test_a_replica_that_has_no_time_to_say_whether_a_job_fits_is_not_waited_for(monkeypatch):
    class Response:
        def result(self, timeout_s: float) -> None:
            raise RayTaskError("refuses_batch_work", "", TimeoutError("no store")).as_instanceof_cause()

    method = SimpleNamespace(remote=lambda wanted: Response())
    monkeypatch.setattr(through_module, "handle_to", lambda name: SimpleNamespace(refuses_batch_work=method))
    monkeypatch.setattr(through_module, "Watch", lambda name: SimpleNamespace(look=lambda: Seen(True, running=1)))
    monkeypatch.setattr(through_module, "ANSWER_SECONDS", 1)
    with pytest.raises(EncorpusError, match="TimeoutError: no store; look at the logs of its replicas"):
        through_module._require_fit("app", Wanted(EncoderSpec("model"), "f" * 64, "1"))


def test_an_application_that_is_not_there_is_refused_with_those_that_are(port, corpus, spec, tmp_path):
    with pytest.raises(UsageError, match=f"--through other: no such .* there are {APPLICATION}$"):
        embed_through(job_of(corpus, tmp_path / "out", spec), "other")
    assert not (tmp_path / "out").exists()


def test_an_application_of_somebody_elses_is_refused(port, corpus, spec, tmp_path):
    serve.run(Foreign.bind(), name="foreign", route_prefix="/foreign")
    with pytest.raises(UsageError, match=r"--through foreign: no application of `encorpus serve`$"):
        embed_through(job_of(corpus, tmp_path / "out", spec), "foreign")
    serve.delete("foreign")


@serve.deployment(ray_actor_options={"num_cpus": 0})
class Foreign:
    """An application that knows nothing of jobs."""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"pooling": "cls"}, "tiny: pooling is mean, not cls; states: pooling is sequence, not cls"),
        ({"normalize": True}, "tiny: normalize is False, not True"),
        ({"layers": (-1,)}, r"tiny: layers is \[\], not \[-1\]"),
        ({"precision": "bfloat16"}, "tiny: precision is float32, not bfloat16"),
        ({"max_tokens": 64}, "tiny: it takes 32 tokens at most, not 64"),
    ],
)
def test_a_job_with_other_vectors_than_those_served_is_refused(port, corpus, spec, tmp_path, options, told):
    with pytest.raises(UsageError, match=rf"^--through {APPLICATION}: it serves no model .*{told}"):
        embed_through(job_of(corpus, tmp_path / "out", replace(spec, **options)))
    assert not (tmp_path / "out").exists()


def test_a_job_with_another_model_than_those_served_is_refused(port, corpus, spec, tmp_path):
    shutil.copytree(spec.model, tmp_path / "other")
    (tmp_path / "other" / "assets" / "more.txt").touch()
    with pytest.raises(UsageError, match="tiny: the files of model or preprocessor are others"):
        embed_through(job_of(corpus, tmp_path / "out", replace(spec, model=str(tmp_path / "other"))))


def test_a_replica_that_is_killed_loses_and_doubles_nothing(port, own, corpus, spec, tmp_path):
    (tmp_path / "deaths").mkdir()
    storage = DeadlyStorage(
        victim=str(corpus / "a.parquet"), times=1, driver=os.getpid(), tally=str(tmp_path / "deaths")
    )
    summary = embed_through(job_of(corpus, tmp_path / "out", spec, storage=storage))
    assert storage.deaths == 1
    assert summary.failures == ()
    assert verify(output_of(tmp_path / "out")).violations == ()
    assert_same(tmp_path / "out", own, 1e-4)


def test_online_requests_are_answered_while_a_job_runs(port, spec, tmp_path):
    write_parquet(tmp_path / "corpus" / "a.parquet", texts_of("a", 6000))
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="-", max_retries=0)

    def ask():
        return np.array(client.embeddings.create(model="tiny", input=["the film", "was good"]).data[1].embedding)

    alone, beside = ask(), []
    job = job_of(tmp_path / "corpus", tmp_path / "out", spec)
    summary = embed_through(job, on_progress=lambda snapshot: beside.append(ask()))
    assert summary.progress.rows == 6000
    np.testing.assert_allclose(beside, [alone] * 300, rtol=0, atol=1e-4)


def test_the_commands_embed_and_retry_go_through_an_application(port, spec, tmp_path):
    write_parquet(tmp_path / "a.parquet", {**texts_of("a", 40), "none": None})
    encoder = ("--model", spec.model, "--pooling", "mean", "--max-tokens", "32")
    embedded = encorpus("embed", tmp_path / "a.parquet", "-o", tmp_path / "out", *encoder, "--through", APPLICATION)
    assert embedded.status == 3, embedded
    retried = encorpus("retry", tmp_path / "out", "--through", APPLICATION)
    assert (retried.status, retried.out.splitlines()[-1]) == (3, "1 reject before, 1 left")
    assert verify(output_of(tmp_path / "out")).violations == ()


def test_a_job_whose_application_is_deleted_ends_in_one_line_and_a_rerun_does_the_rest(
    port, serving, own, corpus, spec, tmp_path, monkeypatch
):
    monkeypatch.setattr(application_state, "GONE_SECONDS", 3.0)
    (tmp_path / "stuck").mkdir()
    job = job_of(corpus, tmp_path / "out", spec)
    stuck = StuckStorage(victim=str(corpus / "a.parquet"), driver=os.getpid(), tally=str(tmp_path / "stuck"))
    deleted = []

    def delete(snapshot):
        if not deleted:
            deleted.append(snapshot)
            serve.delete(APPLICATION)

    with pytest.raises(EncorpusError, match=rf"^--through {APPLICATION}: no replica .* run the same command again"):
        embed_through(replace(job, storage=stuck), on_progress=delete)
    before = shards_of(tmp_path / "out")
    assert 0 < len(before) < len(shards_of(own))
    serve.run(application(serving, ONE_REPLICA), name=APPLICATION, route_prefix="/")
    embed_through(job)
    assert verify(output_of(tmp_path / "out")).violations == ()
    assert_same(tmp_path / "out", own, 1e-4)
    assert shards_of(tmp_path / "out").items() >= before.items()
