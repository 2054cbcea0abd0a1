"""What lies at an fsspec URI may be another model tomorrow: it is fetched when it changed, and only then."""

import pytest

from pipelines.encoder.presence import presence
from pipelines.encoder.resolve import resolve_model
from pipelines.errors import ModelError
from tests.pipelines.encoder.archives import archive_of
from tests.pipelines.encoder.shaky_store import ShakyStore

URI = "shaky://models/small"

pytestmark = pytest.mark.usefixtures("cache")


class NoCredentialsError(Exception):
    """As botocore's: no OSError."""


@pytest.fixture
def store(saved_model):
    """A store that holds the model as a folder and as an archive."""
    ShakyStore.store.clear()
    store = ShakyStore()
    put(store, saved_model)
    yield store
    ShakyStore.store.clear()


def put(store, saved_model):
    for path in saved_model.rglob("*"):
        if path.is_file():
            store.pipe_file(f"/models/small/{path.relative_to(saved_model)}", path.read_bytes())
    store.pipe_file("/models/small.tar.gz", archive_of(saved_model))


@pytest.mark.parametrize("uri", [URI, f"{URI}/", f"{URI}.tar.gz"])
def test_a_model_is_copied_into_the_cache_once(store, cache, uri):
    folder = resolve_model(uri)
    assert folder.is_relative_to(cache)
    assert (folder / "assets" / "vocab.txt").read_text() == "[PAD]\n"
    assert resolve_model(uri) == folder


@pytest.mark.parametrize("uri", [URI, f"{URI}.tar.gz"])
def test_a_model_is_fetched_anew_when_any_of_its_files_changed(store, saved_model, uri):
    first = resolve_model(uri)
    (saved_model / "variables" / "variables.index").write_bytes(b"trained further")
    put(store, saved_model)
    second = resolve_model(uri)
    assert second != first
    assert (second / "variables" / "variables.index").read_bytes() == b"trained further"


def test_other_storage_options_may_mean_another_store(store, cache):
    one, other = (resolve_model(URI, {"endpoint": f"https://{name}:secret@host"}) for name in ("one", "other"))
    assert one != other
    assert not [path for path in cache.rglob("*") if "secret" in path.name]


@pytest.mark.parametrize("error", [ConnectionError("unreachable"), NoCredentialsError("Unable to locate credentials")])
def test_the_model_fetched_last_serves_while_the_store_cannot_be_reached(store, saved_model, error):
    resolve_model(URI)
    (saved_model / "saved_model.pb").write_bytes(b"another graph")
    put(store, saved_model)
    newest = resolve_model(URI)
    with store.failing(error):
        assert resolve_model(URI) == newest


def test_a_model_is_here_while_the_store_cannot_be_reached(store):
    resolve_model(URI)
    here = presence(URI)
    assert here.here
    with store.failing(ConnectionError("unreachable")):
        assert presence(URI) == here


@pytest.mark.parametrize("error", [PermissionError(13, "Forbidden"), FileNotFoundError(2, "No such key")])
def test_a_store_that_answers_is_believed_whatever_was_fetched_before(store, error):
    resolve_model(URI)
    with store.failing(error), pytest.raises(ModelError):
        resolve_model(URI)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Forbidden"), "Forbidden"),
        (ConnectionError("unreachable"), "unreachable"),
        (NoCredentialsError("Unable to locate credentials"), "NoCredentialsError: Unable to locate credentials"),
        (FileNotFoundError(2, "No such key"), r"not a SavedModel \(there is no saved_model.pb in it\)"),
    ],
)
def test_what_the_store_says_is_told_in_one_line_with_the_handle(store, error, told):
    with store.failing(error), pytest.raises(ModelError, match=f"^model {URI}: .*{told}$"):
        resolve_model(URI)


def test_options_that_the_store_does_not_know_are_told(store):
    with pytest.raises(ModelError, match=rf"^model {URI}: cannot be fetched: TypeError: .*'colour'"):
        resolve_model(URI, {"colour": "red"})


def test_a_model_that_changes_while_it_is_fetched_is_not_kept(store, cache, monkeypatch):
    def change(store):
        store.pipe_file("/models/small/variables/variables.index", b"trained further".ljust(4096))

    monkeypatch.setattr(ShakyStore, "after_a_file", staticmethod(change))
    with pytest.raises(ModelError, match="changed while it was being fetched; run again"):
        resolve_model(URI)
    assert [path for path in (cache / "models").iterdir() if path.is_dir()] == []


def test_nothing_at_the_uri_is_told(store):
    with pytest.raises(ModelError, match=r"shaky://nothing/here: not a SavedModel"):
        resolve_model("shaky://nothing/here")
    with pytest.raises(ModelError, match=r"shaky://nothing/here\.tar\.gz: no such archive"):
        resolve_model("shaky://nothing/here.tar.gz")
