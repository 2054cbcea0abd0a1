"""Samples of a file of lines: its first MiB, and how long its rows are."""

from pipelines.corpus.decompress import BrokenStreamError, content_chunks
from pipelines.storage import FileEntry, Storage

HEAD_BYTES = 1 << 20
# Rows are measured at a few places: the first ones may be quite unlike the rest.
PLACES = 5
PLACE_BYTES = 1 << 18


def head_of(uri: str, compression: str | None, storage: Storage) -> bytes:
    """The first MiB of the uncompressed content, or what comes before it breaks."""
    head = bytearray()
    with storage.open(uri) as file:
        try:
            for chunk in content_chunks(file, compression):
                head += chunk
                if len(head) >= HEAD_BYTES:
                    break
        except BrokenStreamError:
            pass  # What of the stream can be read is rows, and the rest one reject, when it is read.
    return bytes(head[:HEAD_BYTES])


def mean_row_bytes(entry: FileEntry, head: bytes, blank_rows: bool, storage: Storage) -> float:
    """Bytes a row of an uncompressed file, from its head if that is all of it, else from samples of equal size.

    blank_rows: whether a blank line is a row.
    """
    if entry.size <= HEAD_BYTES:
        samples = [head]
    else:
        places = [entry.size * number // PLACES for number in range(1, PLACES)]
        others = [storage.read_range(entry.uri, place, place + PLACE_BYTES) for place in places]
        samples = [head[:PLACE_BYTES], *others]
    rows = sum(_row_starts(sample, blank_rows, number == 0) for number, sample in enumerate(samples))
    return sum(map(len, samples)) / max(rows, 1)


def _row_starts(sample: bytes, blank_rows: bool, first: bool) -> int:
    """How many rows start in the sample. Only the first sample starts with a row."""
    lines = sample.split(b"\n")[0 if first else 1 :]
    if blank_rows:
        return len(lines) - (not lines[-1]) if lines else 0
    return sum(1 for line in lines if line and not line.isspace())
