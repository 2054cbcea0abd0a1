"""The `encorpus` command: its exit statuses, its errors of one line, and what it costs to ask for help."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cluster.commands.status
from tests.cluster.command_line import ENCORPUS, encorpus

COMMANDS = (
    "embed",
    "plan",
    "status",
    "verify",
    "retry",
    "search",
    "package",
    "check",
    "submit",
    "logs",
    "cancel",
    "demo",
)

# Asks for every help and makes every kind of mistake that needs no work, then says what was imported.
ASK_FOR_HELP = """
import json, sys
from cluster.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit:
        pass
    sys.stdout.flush()
sys.stdout.write("\\n" + json.dumps(sorted(sys.modules)))
"""


def test_help_lists_the_commands():
    finished = encorpus("--help")
    assert (finished.status, finished.err) == (0, "")
    assert finished.out.startswith("usage: encorpus ")
    assert [name for name in COMMANDS if f"\n    {name} " not in finished.out] == []


def test_help_tells_the_exit_statuses():
    told = " ".join(encorpus("--help").out.split())
    assert "0 all embedded; 1 failed; 2 usage; 3 finished, but some rows or files were rejected" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command):
    finished = encorpus(command, "--help")
    assert (finished.status, finished.err) == (0, "")
    assert finished.out.startswith(f"usage: encorpus {command} ")


def test_version():
    finished = encorpus("--version")
    assert finished.status == 0
    assert finished.out.startswith("encorpus ")


def test_help_and_usage_errors_import_neither_tensorflow_nor_ray():
    cheap = [["--help"], ["--version"], *([command, "--help"] for command in COMMANDS), [], ["embed", "--workers", "0"]]
    cheap += [["embed", "corpus", "-o", "out"], ["embed", "corpus"], ["status", "nothing"], ["plan", "nothing"]]
    words = [sys.executable, "-c", ASK_FOR_HELP, json.dumps(cheap)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert imported.isdisjoint({"tensorflow", "ray", "tensorflow_text", "tensorflow_hub"})
    assert "cluster.commands.embed" in imported


@pytest.mark.parametrize(
    "words",
    [[], ["launch"], ["embed"], ["embed", "corpus", "--workers", "0"], ["search", "out"], ["embed", "c", "--colour"]],
    ids=" ".join,
)
def test_status_2_and_one_line_for_a_command_line_that_is_wrong(words):
    finished = encorpus(*words)
    assert (finished.status, finished.out) == (2, "")
    assert finished.told.startswith("encorpus: ")
    assert finished.told.endswith("--help`")


def test_status_2_and_one_line_for_a_request_that_cannot_be_right(tmp_path):
    finished = encorpus("status", tmp_path)
    assert (finished.status, finished.out) == (2, "")
    assert finished.told.startswith(f"encorpus status: {tmp_path}: not an output")


def test_a_defect_of_our_own_is_one_line_and_its_trace_is_in_the_log(monkeypatch):
    def break_down(arguments, console):
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr(cluster.commands.status, "run", break_down)
    finished = encorpus("status", "out")
    start, _, log = finished.told.removesuffix(")").partition(" (the trace is in ")
    assert (finished.status, finished.out) == (1, "")
    assert start == "encorpus status: internal error: ZeroDivisionError: first line"
    assert "in break_down" in Path(log).read_text()


def test_an_interrupt_is_status_130_and_one_line(monkeypatch):
    def interrupt(arguments, console):
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster.commands.status, "run", interrupt)
    finished = encorpus("status", "out")
    assert (finished.status, finished.told) == (130, "encorpus status: interrupted")


def test_a_name_that_is_no_utf8_does_no_harm(tmp_path):
    finished = encorpus("status", os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    assert finished.status == 2
    assert "\\udcff: not an output of encorpus embed" in finished.told


def test_the_installed_command_gives_the_exit_status_to_the_shell(tmp_path):
    assert subprocess.run([ENCORPUS, "status", tmp_path], capture_output=True).returncode == 2


def test_a_command_that_needs_no_ray_starts_none(mixed):
    words = [
        sys.executable,
        "-c",
        ASK_FOR_HELP,
        json.dumps([["status", str(mixed.output)], ["verify", str(mixed.output)]]),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "ray" not in json.loads(done.stdout.splitlines()[-1])


def test_a_reader_that_goes_away_is_no_trouble(mixed):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run([ENCORPUS, "status", mixed.output], stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_libraries_do_as_the_interpreter_ends_changes_no_exit_status():
    ends_badly = "import atexit, os; atexit.register(os.abort); from cluster.cli import program; program()"
    done = subprocess.run([sys.executable, "-c", ends_badly, "status", "nothing"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("command", ["embed", "plan"])
def test_help_in_a_locale_that_is_not_utf8(command):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([ENCORPUS, command, "--help"], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
