"""Before a job begins: is there what it needs?"""

import subprocess
import sys

from cluster.jobs.start import NEEDED, PYTHON, lack


def test_an_old_python_is_told():
    assert lack((3, 9, 7), NEEDED) == "the cluster's Python is 3.9.7; encorpus needs 3.11.4 or newer"


def test_missing_modules_are_told():
    told = lack((3, 12, 0), ("json", "no_such_module", "nor_this"))
    assert told is not None and "lacks no_such_module, nor_this; give its nodes" in told


def test_where_all_is_there_nothing_is_told():
    assert lack(sys.version_info, NEEDED) is None


def test_it_is_the_python_that_the_package_asks_for():
    from importlib.metadata import metadata

    assert ".".join(map(str, PYTHON)) in metadata("encorpus")["Requires-Python"]


def test_it_runs_the_command():
    done = subprocess.run([sys.executable, "-m", "cluster.jobs.start", "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("encorpus ")
