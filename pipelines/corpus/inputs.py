"""The files that the inputs hold, each once, and what is refused of inputs and columns before any file is opened."""

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from pipelines.corpus.formats import detect_format
from pipelines.corpus.plan_types import Columns
from pipelines.errors import UsageError
from pipelines.local_files import absolute, fixed_part, is_glob, is_hidden, local_path
from pipelines.storage import FileEntry, Storage

# Names that the shards, or the tables on their way there, use themselves.
TAKEN_NAMES = ("id", "row", "tokens", "truncated", "embedding", "chunk", "start", "end")


def list_inputs(inputs: Sequence[str], storage: Storage) -> Mapping[str, FileEntry]:
    """The inputs' files by their identities: inputs in the order given, each one's files sorted by URI.

    A file that one input reaches twice, through links, is there once, by the first of its paths. Raises UsageError
    when an input holds no files or holds one of an unknown format, or two inputs hold the same file.
    """
    entries: dict[str, FileEntry] = {}
    for uri in inputs:
        found: dict[str, FileEntry] = {}
        for entry in storage.list_files(uri):
            _check_name(entry.uri)
            detect_format(entry.uri)
            found.setdefault(identity(entry.uri), entry)
        if twice := next((known for known in found if known in entries), None):
            raise UsageError(_given_twice(found[twice].uri, entries[twice].uri))
        entries |= found
    if not entries:
        raise UsageError("no input given; name files, folders or globs")
    return entries


def identity(uri: str) -> str:
    """The same for all paths that links give one local file."""
    path = local_path(uri)
    # Several times as fast as Path.resolve, which counts where a folder holds many files.
    return uri if path is None else os.path.realpath(path)


def holds(given: str, uri: str) -> bool:
    """Whether a listing of the input finds the file at the URI, if one is there: told by their names, and by where
    links on the way to both lead, but not by links inside the input."""
    return _holds(absolute(given), uri) or _holds(identity(given), identity(uri))


def _holds(given: str, uri: str) -> bool:
    given = given.rstrip("/")
    if uri == given:
        return True
    if uri.startswith(f"{given}/"):
        return not is_hidden(uri[len(given) + 1 :])
    if not is_glob(given):
        return False
    root = f"{fixed_part(given)}/"
    below = uri[len(root) :]
    matching = _matches(below.split("/"), given[len(root) :].split("/"))
    return uri.startswith(root) and not is_hidden(below) and matching


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a glob's pattern matches a path, or a folder above it, both cut at slashes."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def check_columns(columns: Columns) -> None:
    """Raises UsageError where a column cannot be kept, whatever the files hold."""
    taken = [name for name in columns.keep if name in TAKEN_NAMES or (name == "text" and columns.text != "text")]
    if taken:
        raise UsageError(f"cannot keep column '{taken[0]}': the name is used by the shards; rename it in the input")
    twice = [name for name in columns.keep if columns.keep.count(name) > 1]
    if twice:
        raise UsageError(f"column '{twice[0]}' is to be kept twice; name it once")


def refuse_ids_of_text(entries: Iterable[FileEntry], columns: Columns) -> None:
    """Raises UsageError where one of the files is plain text, and ids come from a column."""
    if columns.id is None:
        return
    for entry in entries:
        if detect_format(entry.uri)[0] == "text":
            raise UsageError(f"{entry.uri}: plain text has no columns; leave out the id column")


def _given_twice(path: str, first: str) -> str:
    also = "" if path == first else f", also as {first}"
    return f"{path}: given twice{also}; each file belongs to the corpus once"


def _check_name(uri: str) -> None:
    try:
        uri.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{uri!a}: the file's name is not UTF-8; rename it") from None
