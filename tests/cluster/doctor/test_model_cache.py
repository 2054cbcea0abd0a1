"""Models: here, or to be fetched, and whether there is room."""

import pytest

from cluster.doctor.model_cache import check_cache, check_models, look
from pipelines.encoder.presence import Presence, presence
from pipelines.encoder.resolve import resolve_model
from tests.s3_server import new_bucket


@pytest.fixture
def model(tmp_path):
    """A folder that passes for a SavedModel, of 1,005 bytes."""
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"w" * 1000)
    return folder


@pytest.fixture
def stored(model, s3):
    """The model in a bucket, and the options that reach it."""
    uri = f"{new_bucket(s3)}/model"
    for path in model.rglob("*"):
        if path.is_file():
            s3.write_atomic(f"{uri}/{path.relative_to(model)}", path.read_bytes())
    return uri, dict(s3.options)


def levels(findings):
    return [finding.level.value for finding in findings]


def test_a_folder_is_here(model):
    assert presence(str(model)) == Presence(True, 1005)


def test_a_model_in_a_store_is_here_from_when_it_was_fetched(stored):
    uri, options = stored
    assert presence(uri, options) == Presence(False, 1005)
    resolve_model(uri, options)
    assert presence(uri, options) == Presence(True, 1005)


def test_a_handle_that_leads_nowhere_is_a_failure(tmp_path):
    (finding,) = check_models(look([str(tmp_path / "none")], {}))
    assert (finding.level, "no such folder" in finding.found) == ("FAILURE", True)


@pytest.mark.parametrize(("free", "due"), [(10_000, ["ok"]), (1_500, ["ok", "warning"]), (500, ["ok", "FAILURE"])])
def test_a_model_that_has_to_be_fetched_needs_room(free, due):
    assert levels(check_models({"s3://b/model": Presence(False, 1005)}, free)) == due


def test_a_model_that_is_here_needs_none():
    assert levels(check_models({"s3://b/model": Presence(True, 1005)}, free=0)) == ["ok"]


def test_a_cache_that_can_be_written_is_fine_and_left_as_it_was(tmp_path):
    assert levels(check_cache(folder=tmp_path / "models")) == ["ok"]
    assert list((tmp_path / "models").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_a_failure(tmp_path):
    (tmp_path / "taken").write_text("a file")
    (finding,) = check_cache(folder=tmp_path / "taken" / "models")
    assert (finding.level, "ENCORPUS_CACHE" in finding.advice) == ("FAILURE", True)


def test_a_cache_that_is_not_needed_and_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / "taken").write_text("a file")
    assert levels(check_cache(needed=False, folder=tmp_path / "taken" / "models")) == ["warning"]
