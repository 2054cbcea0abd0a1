"""What has become of corpus files since they were planned."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipelines.corpus.inputs import identity
from pipelines.corpus.plan_types import CorpusFile, FileState, Plan
from pipelines.pool_map import pool_map
from pipelines.storage import FileEntry, Storage

GONE = "is gone"
CHANGED = "has changed"

# Looks at files wait for the store, and not for the processor.
LOOKS_AT_ONCE = 32


@dataclass(frozen=True)
class Changes:
    """How the inputs' files differ from a plan's live ones.

    new: files that the plan does not have, in the order of the inputs. changed: planned ones of another size or
    version, by number, as they are now. vanished: planned ones that are not there. returned: the numbers of those
    that had vanished, and are there again as they were planned.
    """

    new: tuple[FileEntry, ...] = ()
    changed: Mapping[int, FileEntry] = field(default_factory=dict)
    vanished: tuple[CorpusFile, ...] = ()
    returned: tuple[int, ...] = ()


def changes_since(plan: Plan, entries: Mapping[str, FileEntry]) -> Changes:
    """Compares the plan with a listing of the inputs, by identity; vanished are those that it lacks. No other look."""
    by_uri = {entry.uri: known for known, entry in entries.items()}
    new = dict(entries)
    changed: dict[int, FileEntry] = {}
    vanished: list[CorpusFile] = []
    returned: list[int] = []
    for file in plan.live:
        entry = new.pop(by_uri.get(file.uri) or identity(file.uri), None)
        if entry is None:
            vanished.append(file)
        elif change_in(file, entry):
            changed[file.number] = entry
        elif file.state is FileState.VANISHED:
            returned.append(file.number)
    return Changes(tuple(new.values()), changed, tuple(vanished), tuple(returned))


def with_looks(changes: Changes, storage: Storage) -> Changes:
    """The changes after a look at each file that the listing lacks: one that is there has not vanished.

    Files that a former update found vanished are not looked for. Raises StorageError.
    """
    before = tuple(file for file in changes.vanished if file.state is FileState.VANISHED)
    unlisted = [file for file in changes.vanished if file.state is FileState.CURRENT]
    seen = list(looks(unlisted, storage))
    changed = {file.number: entry for file, entry in seen if entry is not None and change_in(file, entry)}
    gone = tuple(file for file, entry in seen if entry is None)
    return replace(changes, changed={**changes.changed, **changed}, vanished=before + gone)


def change_of(file: CorpusFile, storage: Storage) -> str | None:
    """GONE, CHANGED (another size or version than planned), or None. One look at the file; raises StorageError."""
    return change_in(file, storage.entry(file.uri))


def change_in(file: CorpusFile, entry: FileEntry | None) -> str | None:
    """As `change_of`, where the look has been taken: entry is the file as it is now."""
    if entry is None:
        return GONE
    return None if (entry.size, entry.version) == (file.size, file.version) else CHANGED


def looks(files: Iterable[CorpusFile], storage: Storage) -> Iterator[tuple[CorpusFile, FileEntry | None]]:
    """Each file with what is at its URI now. Raises StorageError."""
    return pool_map(lambda file: (file, storage.entry(file.uri)), files, LOOKS_AT_ONCE)
