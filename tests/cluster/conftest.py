"""Two outputs of real runs, shared by the tests of the commands, which leave them as they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.jobs.client_machine import ClientMachine
from tests.cluster.jobs.ray_cluster import RayCluster, ray_cluster
from tests.cluster.small_outputs import SmallOutput, embed, names_of, write_mixed_corpus, write_parquet


@pytest.fixture(scope="session")
def mixed(tiny_model: Path, ray_session: None, tmp_path_factory: pytest.TempPathFactory) -> SmallOutput:
    """Files of four formats with a few bad rows; ids of the user's own, one column kept, the text not."""
    folder = tmp_path_factory.mktemp("mixed")
    corpus = write_mixed_corpus(folder / "corpus")
    options = ("--id-column", "name", "--keep", "topic", "--shard-rows", "10")
    return embed(corpus, folder / "out", tiny_model, *options)


@pytest.fixture(scope="session")
def clean(tiny_model: Path, ray_session: None, tmp_path_factory: pytest.TempPathFactory) -> SmallOutput:
    """One Parquet file without a bad row; generated ids, the text kept."""
    folder = tmp_path_factory.mktemp("clean")
    (folder / "corpus").mkdir()
    write_parquet(folder / "corpus" / "a.parquet", names_of("parquet"))
    return embed(folder / "corpus", folder / "out", tiny_model, "--keep", "text")


@pytest.fixture(scope="session")
def cluster_behind_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A Ray cluster of its own processes, with a head without work and a node of two CPUs; one for all tests."""
    with ray_cluster(tmp_path_factory.mktemp("head")) as cluster:
        yield cluster


@pytest.fixture
def laptop(cluster_behind_token: RayCluster, tmp_path: Path) -> ClientMachine:
    """A machine that has the cluster's token, and a home with nothing in it."""
    return ClientMachine(cluster_behind_token, tmp_path / "home")
