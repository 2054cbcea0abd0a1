"""A sample of a corpus: some rows at a few places, spread evenly over its bytes however many files it has."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from pipelines.corpus.plan import Columns, CorpusFile, Plan, Unit
from pipelines.corpus.readers import SliceReader
from pipelines.corpus.rows import RowBuilder, UnitRows
from pipelines.corpus.streams import End, read_stream
from pipelines.storage import Storage

PLACES = 8
# What is read at one place, at most: so many rows, of so many bytes of the file, or of its uncompressed content.
PLACE_ROWS = 250
PLACE_BYTES = 1 << 20
PLACE_CONTENT_BYTES = 16 << 20


@dataclass(frozen=True)
class Sample:
    """Some rows of one file. texts: of those that can be embedded, PLACE_ROWS a place at most. rows, bytes: how many
    rows were seen, rejects among them, and the bytes of the file, as it is stored, that hold them."""

    file: CorpusFile
    texts: tuple[str, ...]
    rows: int
    bytes: int


@dataclass(frozen=True)
class KindRows:
    """The rows of the files of one kind, which only reading them would tell, as a sample suggests them.

    kind: format and compression. files, bytes: all of the kind. sampled_rows, sampled_bytes: of the samples.
    """

    kind: str
    files: int
    bytes: int
    sampled_rows: int
    sampled_bytes: int

    @property
    def rows(self) -> int:
        """As many in each byte as in the sample."""
        return round(self.bytes * self.sampled_rows / max(self.sampled_bytes, 1))


def take_samples(plan: Plan, columns: Columns, storage: Storage) -> list[Sample]:
    """Reads the samples: of a file that is cut, at the places where they lie, of a streamed one from its start.

    Each kind of file whose rows nobody knows has one at least. Raises StorageError as reading the corpus does.
    """
    return [
        _of_stream(plan, file, columns, storage) if file.streamed else _of_slices(plan, file, slices, columns, storage)
        for file, slices in _places(plan)
    ]


def rows_by_kind(plan: Plan, samples: Sequence[Sample]) -> list[KindRows]:
    """The rows of the files that are not Parquet, kind by kind."""
    kinds: dict[str, list[CorpusFile]] = {}
    for file in plan.files:
        if file.rows is None and file.error is None:
            kinds.setdefault(_kind(file), []).append(file)
    return [
        KindRows(
            kind=kind,
            files=len(files),
            bytes=sum(file.size for file in files),
            sampled_rows=sum(sample.rows for sample in samples if _kind(sample.file) == kind),
            sampled_bytes=sum(sample.bytes for sample in samples if _kind(sample.file) == kind),
        )
        for kind, files in kinds.items()
    ]


def _kind(file: CorpusFile) -> str:
    return f"{file.compression} {file.format}" if file.compression else file.format


def _places(plan: Plan) -> Iterator[tuple[CorpusFile, list[int]]]:
    """The files to sample, and of those that are cut the slices."""
    files = [file for file in plan.files if file.error is None and file.size]
    ends = list(accumulate(file.size for file in files))
    chosen: dict[int, list[float]] = {}
    for number in range(PLACES if files else 0):
        place = ends[-1] * (2 * number + 1) // (2 * PLACES)
        index = bisect_right(ends, place)
        chosen.setdefault(index, []).append((place - ends[index] + files[index].size) / files[index].size)
    sampled = {_kind(files[index]) for index in chosen}
    for index in sorted(range(len(files)), key=lambda index: -files[index].size):
        if files[index].rows is None and _kind(files[index]) not in sampled:
            sampled.add(_kind(files[index]))
            chosen[index] = [0.5]
    for index, shares in sorted(chosen.items()):
        count = files[index].slices or 1
        yield files[index], sorted({int(share * count) for share in shares})


def _of_slices(plan: Plan, file: CorpusFile, slices: Sequence[int], columns: Columns, storage: Storage) -> Sample:
    """The beginnings of some slices."""
    most = PLACE_BYTES if file.rows is None else PLACE_ROWS
    cuts = file.bounds or ()
    bounds = [bound for n in slices for bound in (cuts[n], min(cuts[n + 1], cuts[n] + most))]
    # As if each part to be read were a slice of the file, and so were what lies between.
    with SliceReader(plan, replace(file, bounds=tuple(bounds)), columns, storage) as reader:
        parts = [reader.read(2 * number) for number in range(len(slices))]
    return Sample(
        file=file,
        texts=tuple(text for part in parts for text in _texts(part)),
        rows=sum(part.table.num_rows + part.rejects.num_rows for part in parts),
        bytes=sum(part.stop - part.start for part in parts) if file.rows is None else 0,
    )


def _of_stream(plan: Plan, file: CorpusFile, columns: Columns, storage: Storage) -> Sample:
    """The beginning of a streamed file; all of it, where that is little."""
    builder = RowBuilder(plan, file, columns)
    rows = content = 0
    stored = file.size
    with storage.open(file.uri) as handle:
        for row in read_stream(handle, file, columns):
            if isinstance(row, End):
                break
            if rows < PLACE_ROWS:
                row.add_to(builder)
            rows, content = rows + 1, content + row.size
            # What is compressed is read in small steps, what is not in larger ones than would do for counting.
            held = handle.tell() if file.compression else content
            if held >= PLACE_BYTES or content >= PLACE_CONTENT_BYTES:
                stored = held
                break
    return Sample(file, tuple(_texts(builder.build(Unit(file.number, 0), 0, 0, last=False))), rows, stored)


def _texts(part: UnitRows) -> list[str]:
    return part.table["text"].slice(0, PLACE_ROWS).to_pylist()
