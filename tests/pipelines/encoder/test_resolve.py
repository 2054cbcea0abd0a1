"""A handle becomes a folder: fetched once, whole or not at all, whoever starts together and whoever dies."""

import errno
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.encoder.resolve import resolve_model
from pipelines.errors import ModelError
from tests.pipelines.encoder.archives import archive_of

pytestmark = pytest.mark.usefixtures("cache")


class Hub:
    """A local server that speaks TF-Hub's protocol: `?tf-hub-format=compressed` answers with the archive.

    gate: what the second half of the archive waits for. chunked: whether the answer comes in chunks, of which the last
    one never comes.
    """

    def __init__(self, archive, gate=None, chunked=False):
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
                if chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    self.wfile.write(b"%x\r\n" % len(archive) + archive[:100])
                    return
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


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}", "file://{}/"])
def test_a_local_folder_is_used_where_it_lies(saved_model, form):
    assert resolve_model(form.format(saved_model)) == saved_model


def test_a_folder_below_the_home_is_found(saved_model, monkeypatch):
    monkeypatch.setenv("HOME", str(saved_model.parent))
    assert resolve_model("~/model") == saved_model


def test_a_local_archive_is_unpacked_into_the_cache(saved_model, tmp_path, cache):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(archive_of(saved_model))
    folder = resolve_model(str(path))
    assert folder.is_relative_to(cache)
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


def test_a_damaged_archive_leaves_no_half_model(saved_model, tmp_path, cache):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(archive_of(saved_model)[:-1])
    with pytest.raises(ModelError, match=r"not a whole \.tar\.gz"):
        resolve_model(str(path))
    assert [entry for entry in (cache / "models").iterdir() if entry.is_dir()] == []


@pytest.mark.parametrize(
    ("handle", "told"),
    [
        ("/nowhere/model", "no such folder"),
        ("~nosuchuser/model", "no such folder"),
        ("file:///nowhere/model", "no such folder"),
        ("m" * 300, "cannot be read: File name too long"),
        ("http://127.0.0.1:9/model/1", "cannot be fetched: .*Connection refused"),
        ("https://tfhub.dev/google/electra small/2", "cannot be fetched: InvalidURL: URL can't contain control"),
        ("http://[::1", "cannot be fetched: Invalid IPv6 URL"),
        ("nowhere://models/m", "cannot be fetched: Protocol not known: nowhere"),
    ],
)
def test_a_handle_that_leads_nowhere_is_told_with_the_reason_in_one_line(handle, told):
    with pytest.raises(ModelError, match=told) as raised:
        resolve_model(handle)
    assert str(raised.value).startswith(f"model {handle}: ")
    assert "\n" not in str(raised.value)


def test_a_server_that_refuses_is_told(hub):
    with pytest.raises(ModelError, match="the server answered 404"):
        resolve_model(f"{hub.url}/x.tgz")


def test_an_answer_that_breaks_off_leaves_no_half_model(saved_model, cache):
    hub = Hub(archive_of(saved_model), chunked=True)
    with pytest.raises(ModelError, match=f"^model {hub.url}/m/1: cannot be fetched: IncompleteRead"):
        resolve_model(f"{hub.url}/m/1")
    hub.close()
    assert [entry for entry in (cache / "models").iterdir() if entry.is_dir()] == []


@pytest.mark.parametrize("place", ["/proc/no", "/dev/null"])
def test_a_cache_that_cannot_be_written_is_named_with_the_variable_that_moves_it(hub, monkeypatch, place):
    monkeypatch.setenv("ENCORPUS_CACHE", place)
    with pytest.raises(ModelError, match=f"cannot be fetched into {place}/models: .*; set ENCORPUS_CACHE to a folder"):
        resolve_model(f"{hub.url}/m/1")


def test_a_full_disk_is_named_with_the_variable_that_moves_the_cache(hub, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipelines.encoder.download.shutil.copyfileobj", full)
    with pytest.raises(ModelError, match="No space left on device; set ENCORPUS_CACHE to a folder that has room"):
        resolve_model(f"{hub.url}/m/1")


def test_no_secret_of_a_url_stands_in_a_file_name(hub, cache):
    resolve_model(f"{hub.url}/m/1?token=secret")
    assert not [path for path in cache.rglob("*") if "secret" in path.name]


def test_a_checkpoint_is_told_to_be_packaged_first(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="encorpus package"):
        resolve_model(str(tmp_path))
