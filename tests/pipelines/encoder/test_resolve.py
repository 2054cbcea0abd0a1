"""A handle becomes a folder: fetched once, whole or not at all, whoever starts together and whoever dies."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.encoder.resolve import model_cache, resolve_model
from pipelines.errors import ModelError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ENCORPUS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def saved_model(tmp_path):
    folder = tmp_path / "model"
    (folder / "assets").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "assets" / "vocab.txt").write_text("[PAD]\n")
    return folder


def archive_of(folder, inside=""):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder, arcname=inside or ".")
    return buffer.getvalue()


class Hub:
    """A local server that speaks TF-Hub's protocol: `?tf-hub-format=compressed` answers with the archive."""

    def __init__(self, archive, gate=None):
        self.requests = 0
        self.asked = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hub.requests += 1
                if "tf-hub-format=compressed" not in self.path and not self.path.endswith(".tar.gz"):
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(archive)))
                self.end_headers()
                self.wfile.write(archive[: len(archive) // 2])
                hub.asked.set()
                if gate is not None:
                    gate.wait(60)
                self.wfile.write(archive[len(archive) // 2 :])

            def log_message(self, format, *args):  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hub(saved_model):
    hub = Hub(archive_of(saved_model))
    yield hub
    hub.close()


def resolve_in_process(handle):
    code = "import sys; from pipelines.encoder.resolve import resolve_model; print(resolve_model(sys.argv[1]))"
    return subprocess.Popen([sys.executable, "-c", code, handle], stdout=subprocess.PIPE, text=True)


def test_a_local_folder_is_used_where_it_lies(saved_model):
    assert resolve_model(str(saved_model)) == saved_model


@pytest.mark.parametrize("inside", ["", "wrapper"])
def test_a_local_archive_is_unpacked_into_the_cache(saved_model, tmp_path, inside):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(archive_of(saved_model, inside))
    folder = resolve_model(str(path))
    assert folder.is_relative_to(model_cache())
    assert (folder / "assets" / "vocab.txt").read_text() == "[PAD]\n"


def test_a_changed_archive_is_unpacked_again(saved_model, tmp_path):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(archive_of(saved_model))
    first = resolve_model(str(path))
    (saved_model / "saved_model.pb").write_bytes(b"another graph")
    path.write_bytes(archive_of(saved_model))
    assert resolve_model(str(path)) != first


def test_an_https_handle_is_fetched_as_tf_hub_serves_it(hub):
    folder = resolve_model(f"{hub.url}/google/electra_small/2")
    assert (folder / "saved_model.pb").read_bytes() == b"graph"


def test_what_is_cached_works_without_the_network(hub):
    first = resolve_model(f"{hub.url}/google/electra_small/2")
    hub.close()
    assert resolve_model(f"{hub.url}/google/electra_small/2") == first


def test_a_folder_at_an_fsspec_uri_is_copied_into_the_cache(saved_model):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(f"{saved_model}/", "/models/small/", recursive=True)
    folder = resolve_model("memory://models/small")
    assert (folder / "assets" / "vocab.txt").read_text() == "[PAD]\n"


def test_many_processes_that_start_together_fetch_once(hub):
    processes = [resolve_in_process(f"{hub.url}/m/1") for _ in range(6)]
    folders = {process.communicate(timeout=60)[0] for process in processes}
    assert len(folders) == 1
    assert hub.requests == 1


def test_nobody_waits_for_a_downloader_that_was_killed(saved_model):
    gate = threading.Event()
    hub = Hub(archive_of(saved_model), gate)
    first = resolve_in_process(f"{hub.url}/m/1")
    assert hub.asked.wait(30)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(resolve_model, f"{hub.url}/m/1")
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
        gate.set()
        folder = waiting.result(timeout=60)
    hub.close()
    assert (folder / "saved_model.pb").read_bytes() == b"graph"
    assert [path.name for path in folder.parent.iterdir() if ".partial-" in path.name] == []


def test_a_lock_file_left_behind_holds_nobody_up(hub, cache):
    folder = resolve_model(f"{hub.url}/m/1")
    name = folder.name
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()
    (cache / "models" / f"{name}.lock").write_text("pid 1")
    assert resolve_model(f"{hub.url}/m/1") == folder


def test_a_truncated_archive_leaves_no_half_model(saved_model, tmp_path):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(archive_of(saved_model)[:-40])
    with pytest.raises(ModelError, match=r"not a whole \.tar\.gz"):
        resolve_model(str(path))
    assert [entry for entry in (model_cache() / "models").iterdir() if entry.is_dir()] == []


def test_an_archive_that_writes_outside_its_folder_is_refused(tmp_path):
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo("../../escaped")
        entry.size = 0
        tar.addfile(entry, io.BytesIO())
    with pytest.raises(ModelError):
        resolve_model(str(path))
    assert not (tmp_path / "cache" / "escaped").exists()


@pytest.mark.parametrize(
    ("handle", "says"),
    [
        ("/nowhere/model", "no such folder"),
        ("http://127.0.0.1:9/model/1", "cannot be fetched"),
        ("memory://nothing/here", "not a SavedModel"),
    ],
)
def test_a_handle_that_leads_nowhere_is_a_model_error(handle, says):
    with pytest.raises(ModelError, match=says):
        resolve_model(handle)


def test_a_checkpoint_is_told_to_be_packaged_first(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="encorpus package"):
        resolve_model(str(tmp_path))
