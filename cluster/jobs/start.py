"""What a job starts with on the cluster: says in one line what is missing there, else runs the command.

It has to be read by Pythons that can read nothing else of encorpus.
"""

import sys
from importlib.util import find_spec

PYTHON = (3, 11, 4)
NEEDED = ("ray", "tensorflow", "tensorflow_hub", "tensorflow_text", "pyarrow", "fsspec", "orjson", "rich")


def lack(version, modules):  # noqa: ANN001, ANN201  older Pythons read this too
    """What is wrong with this Python and its modules, if anything."""
    if tuple(version[:3]) < PYTHON:
        told = [".".join(map(str, numbers)) for numbers in (version[:3], PYTHON)]
        return "the cluster's Python is {}; encorpus needs {} or newer".format(*told)
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        advice = "give its nodes an image or an environment with what encorpus needs (docs/submit.md)"
        return "the cluster's Python ({}) lacks {}; {}".format(sys.executable, ", ".join(missing), advice)
    return None


if __name__ == "__main__":
    trouble = lack(sys.version_info, NEEDED)
    if trouble:
        sys.exit("encorpus embed: " + trouble)
    from cluster.cli import program

    program()
