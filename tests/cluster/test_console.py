"""The quiet console: our own lines on the standard streams, everything else in a log file."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.console import LOGS_KEPT, Console
from tests.cluster.command_line import ENCORPUS

# Libraries' chatter of every kind, between our own lines.
TALK = """
import logging, os, subprocess, sys, warnings
from cluster.console import quiet_console
print("python before")
with quiet_console("talk") as console:
    console.print("our result")
    print("python out")
    print("python err", file=sys.stderr)
    os.write(1, b"native out\\n")
    os.write(2, b"native err\\n")
    subprocess.run(["sh", "-c", "echo child out; echo child err >&2"])
    logging.getLogger("library").warning("logged")
    warnings.warn("warned")
    console.note("our note")
    assert not console.interactive
print("python after")
os.write(2, b"native after\\n")
"""
CHATTER = ("python out", "python err", "native out", "native err", "child out", "child err", "logged", "warned")


def run(code, **environment):
    """Runs Python code as a process of its own."""
    words = [sys.executable, "-c", code]
    return subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The cache folder, whose logs are looked at."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def talked(cache):
    """What the talk above left on the standard streams."""
    return run(TALK, ENCORPUS_CACHE=str(cache))


def test_results_alone_are_on_standard_output(talked):
    assert talked.stdout == "python before\nour result\npython after\n"


def test_notes_alone_are_on_standard_error(talked):
    assert talked.stderr == "our note\nnative after\n"


@pytest.mark.parametrize("words", CHATTER)
def test_chatter_is_in_the_log(words, talked, cache):
    (log,) = (cache / "logs").glob("*-talk-*.log")
    assert words in log.read_text()


def test_the_log_is_for_the_user_alone(talked, cache):
    (log,) = (cache / "logs").glob("*-talk-*.log")
    assert log.stat().st_mode & 0o777 == 0o600


def test_only_the_latest_logs_are_kept(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    names = [f"2020{number:04}-000000-embed-1.log" for number in range(LOGS_KEPT + 10)]
    for name in names:
        (logs / name).touch()
    run(TALK, ENCORPUS_CACHE=str(tmp_path))
    kept = sorted(path.name for path in logs.iterdir())
    assert kept[:-1] == names[10:]
    assert "-talk-" in kept[-1]


@pytest.mark.parametrize("cache", ["file/below", "/proc/encorpus"])
def test_a_cache_that_cannot_be_written_is_no_trouble(cache, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    talked = run(TALK, ENCORPUS_CACHE=str(tmp_path / cache), TMPDIR=str(tmp_path / "temporary"))
    assert talked.stdout == "python before\nour result\npython after\n"
    (log,) = (tmp_path / "temporary").glob("encorpus-logs-*/*.log")
    assert "native out" in log.read_text()


def test_without_a_cache_of_its_own_it_uses_the_home_folder(tmp_path):
    run(TALK, ENCORPUS_CACHE="", HOME=str(tmp_path))
    assert len(list((tmp_path / ".cache" / "encorpus" / "logs").iterdir())) == 1


def test_it_is_undone_when_the_work_fails(tmp_path):
    code = """
from cluster.console import quiet_console
try:
    with quiet_console("fail"):
        print("hidden")
        raise RuntimeError
except RuntimeError:
    print("shown")
"""
    assert run(code, ENCORPUS_CACHE=str(tmp_path)).stdout == "shown\n"


def test_any_text_can_be_printed_in_any_locale(tmp_path):
    code = """
from cluster.console import quiet_console
with quiet_console("text") as console:
    console.print("日本 ✓ \\udcff")
"""
    environment = {**os.environ, "ENCORPUS_CACHE": str(tmp_path), "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert done.stdout.decode() == "日本 ✓ \\udcff\n"


@pytest.mark.parametrize("say", ["print", "note"])
def test_nothing_in_a_line_drives_the_terminal(say, tmp_path):
    streams = io.StringIO(), io.StringIO()
    getattr(Console(*streams, tmp_path), say)("\x1b]0;mine\x07\u202e ×\rgone\n")
    assert "".join(stream.getvalue() for stream in streams) == "\\x1b]0;mine\\x07\\u202e ×\\rgone\\n\n"


def test_a_real_command_says_nothing_but_its_own_lines(clean):
    words = [Path(sys.executable).with_name("encorpus"), "search", clean.output, "a text", "--top", "1"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_standard_stream_may_be_closed(closed, tmp_path):
    done = subprocess.run(["sh", "-c", f'exec "$0" status "$1" {closed}', ENCORPUS, tmp_path], capture_output=True)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
