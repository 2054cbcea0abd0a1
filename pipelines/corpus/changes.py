"""Whether a corpus file is still the one that was planned."""

from pipelines.corpus.plan_types import CorpusFile
from pipelines.storage import FileEntry, Storage

GONE = "is gone"
CHANGED = "has changed"


def change_of(file: CorpusFile, storage: Storage) -> str | None:
    """GONE, CHANGED (another size or version than planned), or None. One look at the file; raises StorageError."""
    return change_in(file, storage.entry(file.uri))


def change_in(file: CorpusFile, entry: FileEntry | None) -> str | None:
    """As `change_of`, where the look has been taken: entry is the file as it is now."""
    if entry is None:
        return GONE
    return None if (entry.size, entry.version) == (file.size, file.version) else CHANGED
