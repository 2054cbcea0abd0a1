"""Everything that encorpus raises on purpose.

EncorpusError          the work failed; the message is one line that says what to do (exit status 1)
├── StorageError       a file or object could not be listed, read or written
│   └── StorageFullError  the store takes no more, whatever is written
├── NodeUnfitError     this machine cannot have what its work needs; another may
├── InputChangedError  a corpus file is not the one that was planned
└── UsageError         the request itself cannot be right: an option, a path, a column (exit status 2)
    ├── ModelError     the handle names no usable text encoder
    └── RuntimeUnfitError  the runtime that is asked for cannot be had on this machine; another machine may have it

The command line prints the message of any of these and exits with `exit_status`; it never shows a stack
trace for one. Any other exception is a defect of encorpus.
"""


def first_line(error: BaseException) -> str:
    """What an error of somebody else's says, as far as it fits a line of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def last_line(text: str) -> str:
    """What a text that holds a trace says, at whose end stands what happened; nothing where it says nothing."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" .\t")]
    return lines[-1][:300] if lines else ""


def arrow_message(error: BaseException) -> str:
    """What an error of Arrow's says, which may have several lines, on one short line."""
    return " ".join(str(error).split())[:200].rstrip(". ")


class EncorpusError(Exception):
    """The work failed. The message names the file, row or option, and what to do about it."""

    exit_status = 1


class StorageError(EncorpusError):
    """A file or object could not be listed, read or written."""


class StorageFullError(StorageError):
    """The store takes no more: the disk is full, a quota is used up, or it is read-only."""


class NodeUnfitError(EncorpusError):
    """This machine cannot have the model, which the machine that planned the job has."""


class InputChangedError(EncorpusError):
    """A corpus file is missing, or its size or version is not what the plan recorded."""


class UsageError(EncorpusError):
    """The request cannot be carried out as given: the user has to change an option or an argument."""

    exit_status = 2


class ModelError(UsageError):
    """A model handle cannot be resolved, or what it names is not a text encoder."""


class RuntimeUnfitError(UsageError):
    """The runtime that is asked for is not installed on this machine, or does not give the right vectors there."""
