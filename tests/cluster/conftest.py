"""Two outputs of real runs, shared by the tests of the commands, which leave them as they are."""

from pathlib import Path

import pytest

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
