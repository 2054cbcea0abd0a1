"""A node that cannot have the model is given no work, and told of; the others do it all."""

import os
import tarfile

import pytest

from pipelines.encoder.text_encoder import TextEncoder
from pipelines.errors import EncorpusError
from pipelines.job.embed import embed
from tests.pipelines.job.faults import GatedStorage
from tests.pipelines.job.jobs import assert_embedded, job_of, spec_of, texts_of, write_parquet
from tests.ray_nodes import add_node, ray_cluster


@pytest.fixture
def archive(tiny_model, tmp_path):
    """The model as an archive, which every node unpacks into its cache."""
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tiny_model, arcname=".")
    return path


@pytest.fixture
def unwritable(tmp_path):
    """The environment of a node whose cache cannot be written."""
    (tmp_path / "taken").write_text("a file where the cache should be")
    return {"ENCORPUS_CACHE": str(tmp_path / "taken")}


@pytest.fixture
def texts(tmp_path):
    texts = texts_of("row", 200)
    write_parquet(tmp_path / "in" / "a.parquet", texts)
    return texts


def test_the_other_node_does_all_the_work(tmp_path, tmp_path_factory, archive, unwritable, texts):
    with ray_cluster(tmp_path_factory.mktemp("r"), unwritable, {}) as cluster:
        summary = embed(job_of(tmp_path / "in", tmp_path / "out", archive, address=cluster.address))
    assert summary.failures == ()
    assert_embedded(tmp_path / "out", texts, TextEncoder.load(spec_of(archive), threads=1))
    (told,) = summary.unfit_nodes
    assert f"cannot be fetched into {tmp_path}/taken/models: Not a directory" in told


def test_a_job_for_which_no_node_has_the_model_ends_and_says_why(
    tmp_path, tmp_path_factory, archive, unwritable, texts
):
    with (
        ray_cluster(tmp_path_factory.mktemp("r"), unwritable, unwritable) as cluster,
        pytest.raises(EncorpusError, match=r"^no node is fit for the job; node .*: model .*Not a directory"),
    ):
        embed(job_of(tmp_path / "in", tmp_path / "out", archive, address=cluster.address))


def test_tasks_whose_worker_is_restarted_on_an_unfit_node_are_done_elsewhere(
    tmp_path, tmp_path_factory, archive, unwritable
):
    parts = [texts_of(f"file{number}", 20) for number in range(10)]
    for number, part in enumerate(parts):
        write_parquet(tmp_path / "in" / f"{number}.parquet", part)
    gate = tmp_path / "gate"
    storage = GatedStorage(corpus=str(tmp_path / "in"), gate=str(gate), driver=os.getpid())
    with ray_cluster(tmp_path_factory.mktemp("r"), {}) as cluster:
        lost = add_node(cluster, {})

        def lose_a_node(_snapshot: object) -> None:
            if not gate.exists():
                add_node(cluster, unwritable)
                cluster.remove_node(lost)
                gate.touch()

        job = job_of(tmp_path / "in", tmp_path / "out", archive, address=cluster.address, storage=storage)
        summary = embed(job, on_progress=lose_a_node)
    assert summary.failures == ()
    (told,) = summary.unfit_nodes
    assert "Not a directory" in told
    texts = {name: text for part in parts for name, text in part.items()}
    assert_embedded(tmp_path / "out", texts, TextEncoder.load(spec_of(archive), threads=1))
