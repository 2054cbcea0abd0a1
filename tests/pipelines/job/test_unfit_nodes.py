"""A node that cannot have the model is given no work, and told of; the others do it all."""

import tarfile

import pytest

from pipelines.encoder.text_encoder import TextEncoder
from pipelines.errors import EncorpusError
from pipelines.job.embed import embed
from tests.pipelines.job.jobs import assert_embedded, job_of, spec_of, texts_of, write_parquet
from tests.two_nodes import ray_cluster


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
    with ray_cluster(tmp_path_factory.mktemp("r"), unwritable, {}) as address:
        summary = embed(job_of(tmp_path / "in", tmp_path / "out", archive, address=address))
    assert summary.failures == ()
    assert_embedded(tmp_path / "out", texts, TextEncoder.load(spec_of(archive), threads=1))
    (told,) = summary.unfit_nodes
    assert f"cannot be fetched into {tmp_path}/taken/models: Not a directory" in told


def test_a_job_for_which_no_node_has_the_model_ends_and_says_why(
    tmp_path, tmp_path_factory, archive, unwritable, texts
):
    with (
        ray_cluster(tmp_path_factory.mktemp("r"), unwritable, unwritable) as address,
        pytest.raises(EncorpusError, match=r"^no node is fit for the job; node .*: model .*Not a directory"),
    ):
        embed(job_of(tmp_path / "in", tmp_path / "out", archive, address=address))
