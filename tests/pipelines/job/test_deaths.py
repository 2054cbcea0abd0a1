"""Workers that are killed while a job runs: the job goes on, and a unit that kills its workers is set aside."""

import os

import pytest

from pipelines.encoder.text_encoder import TextEncoder
from pipelines.errors import EncorpusError
from pipelines.job import follow
from pipelines.job.embed import embed
from pipelines.job.ledger import MOST_DEATHS
from pipelines.job.record import Outcome
from tests.pipelines.job.faults import DeadlyStorage, DyingLedger
from tests.pipelines.job.jobs import assert_embedded, job_of, spec_of, texts_of, write_parquet


@pytest.fixture(scope="module")
def encoder(tiny_model):
    return TextEncoder.load(spec_of(tiny_model), threads=1)


@pytest.fixture
def corpus(tmp_path):
    """Eight files of two units each; texts by id, file by file."""
    texts = [texts_of(f"file{number}", 40) for number in range(8)]
    for number, part in enumerate(texts):
        write_parquet(tmp_path / "corpus" / f"{number}.parquet", part)
    (tmp_path / "deaths").mkdir()
    return tmp_path / "corpus", texts


def deadly(tmp_path, times):
    victim, tally = tmp_path / "corpus" / "3.parquet", tmp_path / "deaths"
    return DeadlyStorage(victim=str(victim), times=times, driver=os.getpid(), tally=str(tally))


def test_a_worker_that_dies_is_replaced_and_no_row_is_lost(ray_session, corpus, tiny_model, tmp_path, encoder):
    storage = deadly(tmp_path, times=1)
    summary = embed(job_of(corpus[0], tmp_path / "out", tiny_model, storage=storage))
    assert storage.deaths == 1
    assert summary.failures == ()
    assert_embedded(tmp_path / "out", {name: text for part in corpus[1] for name, text in part.items()}, encoder)


def test_units_that_kill_their_workers_are_set_aside_and_the_rest_goes_on(
    ray_session, corpus, tiny_model, tmp_path, encoder
):
    storage = deadly(tmp_path, times=1000)
    summary = embed(job_of(corpus[0], tmp_path / "out", tiny_model, workers=(1, 1), storage=storage))
    assert {record.unit: record.outcome for record in summary.failures} == {
        "part-000003-000000": Outcome.SET_ASIDE,
        "part-000003-000001": Outcome.SET_ASIDE,
    }
    # The first death has both units in it, so together they can kill less than twice as often as one.
    assert MOST_DEATHS <= storage.deaths <= 2 * MOST_DEATHS
    good = {name: text for number, part in enumerate(corpus[1]) if number != 3 for name, text in part.items()}
    assert_embedded(tmp_path / "out", good, encoder)


def test_a_job_whose_ledger_dies_ends_in_one_line_and_goes_on_when_run_again(
    ray_session, corpus, tiny_model, tmp_path, encoder, monkeypatch
):
    job = job_of(corpus[0], tmp_path / "out", tiny_model)
    with (
        monkeypatch.context() as patched,
        pytest.raises(EncorpusError, match=r"^the workers broke down: .*run the same command again"),
    ):
        patched.setattr(follow, "UnitLedger", DyingLedger)
        embed(job)
    embed(job)
    assert_embedded(tmp_path / "out", {name: text for part in corpus[1] for name, text in part.items()}, encoder)
