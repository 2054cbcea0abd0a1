"""Commands that are told to the user: what to do next with an output."""

import shlex
from collections.abc import Iterable


def output_command(name: str, output: str, storage_options: Iterable[str], *words: str) -> str:
    """`encorpus NAME OUTPUT` and further words, as a shell takes it.

    storage_options: the names of those that the output needs; their values, which may be secrets, are left out.
    """
    told = [shlex.quote(word) for word in (output, *words)]
    return " ".join(["encorpus", name, *told, *(f"--storage-option {shlex.quote(key)}=…" for key in storage_options)])
