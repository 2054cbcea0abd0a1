"""SIGTERM and Ctrl-C: status 130, a line that says how to go on, and nothing left behind."""

import os
import pty
import re
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest

from tests.cluster.command_line import ENCORPUS, encorpus
from tests.cluster.small_outputs import MAX_TOKENS, write_parquet

UNITS = 800
GO_ON = "encorpus embed: interrupted; what is committed stays, run the same command again to go on"
WAIT_SECONDS = 60


@dataclass(frozen=True)
class Interrupted:
    """A job that was interrupted after some of its units: what the terminal showed, and which processes live on."""

    status: int
    screen: str
    survivors: list[psutil.Process]


def job(folder, model):
    """The words of a job of many small units, so that there is much to interrupt."""
    corpus = write_parquet(folder / "a.parquet", [f"a-{row}" for row in range(2 * UNITS)])
    options = ("--model", model, "--max-tokens", MAX_TOKENS, "--shard-rows", 2, "--workers", 1)
    return tuple(map(str, ("embed", corpus, "-o", folder / "out", *options)))


@contextmanager
def running(words, **streams):
    """The real command in a process group of its own, as a shell starts it; gone at the end in any case."""
    process = subprocess.Popen([ENCORPUS, *words], stdin=subprocess.DEVNULL, start_new_session=True, **streams)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def read_screen(screen, until=None):
    """What a terminal shows, until it shows the pattern, or until nobody writes to it any more."""
    shown = ""
    while until is None or not re.search(until, shown):
        try:
            shown += os.read(screen, 1 << 12).decode()
        except OSError:  # the other end is closed
            assert until is None, shown
            break
    return shown


def interrupt(words, send):
    """Runs a job on a terminal, and interrupts it when some of its units are done."""
    screen, terminal = pty.openpty()
    with running(words, stdout=subprocess.DEVNULL, stderr=terminal) as process:
        os.close(terminal)
        shown = read_screen(screen, until=rf"[1-9]\d* of {UNITS} units")
        family = psutil.Process(process.pid).children(recursive=True)
        send(process)
        shown += read_screen(screen)
        status = process.wait(WAIT_SECONDS)
    os.close(screen)
    _, survivors = psutil.wait_procs(family, timeout=WAIT_SECONDS)
    return Interrupted(status, shown, survivors)


def first_line(stream):
    """Waits for it."""
    assert stream is not None
    return stream.readline()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the job that is interrupted by Ctrl-C."""
    return tmp_path_factory.mktemp("interrupted")


@pytest.fixture(scope="module")
def words(folder, tiny_model):
    """Its command."""
    return job(folder, tiny_model)


@pytest.fixture(scope="module")
def interrupted(words):
    """Ctrl-C, which every process of the terminal's group gets."""
    return interrupt(words, lambda process: os.killpg(process.pid, signal.SIGINT))


def test_ctrl_c_is_status_130(interrupted):
    assert interrupted.status == 130


def test_the_last_line_says_how_to_go_on(interrupted):
    assert interrupted.screen.splitlines()[-1].endswith(GO_ON)


def test_no_process_is_left(interrupted):
    assert interrupted.survivors == []


def test_the_same_command_does_the_rest(interrupted, words, folder, ray_session):
    committed = len(list((folder / "out").glob("*.parquet")))
    assert 0 < committed < UNITS
    again = encorpus(*words)
    assert again.status == 0
    assert f"; {committed} units committed, {UNITS - committed} units to do" in again.err
    assert encorpus("verify", folder / "out", "--input").status == 0


def test_sigterm_before_the_first_unit(tiny_model, tmp_path):
    with running(job(tmp_path, tiny_model), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert first_line(process.stderr).endswith(f"; 0 units committed, {UNITS} units to do\n")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, out, err) == (130, "", f"{GO_ON}\n")


def test_sigterm_ends_another_command_without_that_advice(tiny_model, tmp_path):
    corpus = write_parquet(tmp_path / "a.parquet", ["a-0"])
    words = ["plan", str(corpus), "--model", str(tiny_model), "--max-tokens", str(MAX_TOKENS)]
    with running(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert first_line(process.stdout).startswith("1 file, ")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, err) == (130, "encorpus plan: interrupted\n")


def test_sigterm_while_ray_is_up_means_the_same(tiny_model, tmp_path):
    done = interrupt(job(tmp_path, tiny_model), lambda process: process.send_signal(signal.SIGTERM))
    assert (done.status, done.survivors) == (130, [])
    assert done.screen.splitlines()[-1].endswith(GO_ON)


def test_the_plan_stands_on_a_line_of_its_own(tiny_model, tmp_path):
    screen, terminal = pty.openpty()
    with running(job(tmp_path, tiny_model), stdout=subprocess.DEVNULL, stderr=terminal) as process:
        os.close(terminal)
        shown = read_screen(screen, until="units to do")
        process.kill()
    os.close(screen)
    assert re.search(r"(^|\n|\r|\x1b\[2K)1 file, ", shown)
