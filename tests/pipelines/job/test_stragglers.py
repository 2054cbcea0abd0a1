"""A worker that is stuck with a unit: another one does it, and the job ends."""

import os

import ray

from pipelines.job.finish import finish
from pipelines.job.pool import run_tasks
from pipelines.job.pool_size import PoolSize
from pipelines.job.prepare import prepare
from pipelines.job.record import Outcome
from pipelines.job.tasks import tasks_for
from pipelines.output.verify import verify
from tests.pipelines.job.faults import StuckStorage
from tests.pipelines.job.jobs import job_of, order_of, output_of, texts_of, write_parquet


def test_a_job_ends_though_a_worker_never_comes_back_from_a_unit(ray_session, tiny_model, tmp_path):
    for number in range(6):
        write_parquet(tmp_path / "corpus" / f"{number}.parquet", texts_of(f"file{number}", 40))
    storage = StuckStorage(victim=str(tmp_path / "corpus" / "2.parquet"), driver=os.getpid(), tally=str(tmp_path))
    prepared = prepare(job_of(tmp_path / "corpus", tmp_path / "out", tiny_model, storage=storage))
    tasks = tasks_for(prepared.remaining, workers=2)
    records = list(run_tasks(tasks, order_of(prepared), PoolSize(2, 2, 1, 0), late_seconds=1))
    assert (tmp_path / "stuck").exists()
    assert {record.outcome for record in records} == {Outcome.DONE}
    finish(prepared)
    assert verify(output_of(tmp_path / "out")).violations == ()
    ray.get(on_both_cpus.remote(), timeout=60)


@ray.remote(num_cpus=2)
def on_both_cpus() -> None:
    """Runs when the stuck worker has given its CPU back."""
