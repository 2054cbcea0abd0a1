"""Reading the corpus by units: one slice of a file that is cut, or the slices of a stream as they come.

Bad content never raises: it comes out as rejects.
"""

from collections.abc import Container, Iterator
from contextlib import ExitStack

import pyarrow as pa

from pipelines.corpus.changes import GONE, change_of
from pipelines.corpus.cut import MAX_SLICE_BYTES
from pipelines.corpus.decompress import BrokenStreamError
from pipelines.corpus.json_rows import add_json_line, is_blank
from pipelines.corpus.lines import lines_of_range
from pipelines.corpus.parquet_rows import ParquetReader, sorted_out
from pipelines.corpus.plan_types import Columns, CorpusFile, Plan, Unit
from pipelines.corpus.rows import RowBuilder, UnitRows
from pipelines.corpus.streams import End, read_stream
from pipelines.corpus.text_rows import add_text_line
from pipelines.errors import InputChangedError, StorageError
from pipelines.storage import Storage


class SliceReader:
    """Reads units of one file that is cut, or the one reject of a file that cannot be read.

    Units in ascending order are cheapest: within a Parquet row group, each begins where the one before ended.
    """

    def __init__(self, plan: Plan, file: CorpusFile, columns: Columns, storage: Storage) -> None:
        self._plan = plan
        self._file = file
        self._columns = columns
        self._storage = storage
        self._open = ExitStack()
        self._parquet: ParquetReader | None = None

    def __enter__(self) -> "SliceReader":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def read(self, number: int) -> UnitRows:
        """The rows of the file's slice with this number.

        Raises StorageError when the file cannot be read for now, InputChangedError when it is not the one planned.
        """
        file, unit = self._file, Unit(self._file.number, number)
        if file.error is not None:
            builder = RowBuilder(self._plan, file, self._columns)
            builder.reject_file(file.error)
            return builder.build(unit, 0, 0, last=True)
        if file.bounds is None:
            raise ValueError(f"{file.uri} is streamed: use stream_slices")
        _check_planned(file, self._storage)
        start, stop = file.bounds[number : number + 2]
        last = number + 2 == len(file.bounds)
        try:
            rows = (self._rows if file.format == "parquet" else self._lines)(unit, start, stop, last)
        except BaseException:
            self._close()
            raise
        _check_planned(file, self._storage)
        return rows

    def _rows(self, unit: Unit, start: int, stop: int, last: bool) -> UnitRows:
        good, rejects = sorted_out(self._plan, self._file, self._columns, self._batches(start, stop))
        return UnitRows(unit, good, rejects, start, stop, last)

    def _batches(self, start: int, stop: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The range's batches; the file is opened once, and again after a range that could not be read to its end."""
        try:
            if self._parquet is None:
                self._parquet = ParquetReader(
                    self._open.enter_context(self._storage.open(self._file.uri)), self._columns
                )
            yield from self._parquet.rows(start, stop)
        except BrokenStreamError:
            self._close()
            raise

    def _lines(self, unit: Unit, start: int, stop: int, last: bool) -> UnitRows:
        builder = RowBuilder(self._plan, self._file, self._columns)
        for line in lines_of_range(self._file, start, stop, self._storage):
            if self._file.format == "text":
                add_text_line(builder, line)
            elif not is_blank(line):
                add_json_line(builder, line, self._columns)
        return builder.build(unit, start, stop, last)

    def _close(self) -> None:
        self._parquet = None
        self._open.close()


def read_slice(plan: Plan, unit: Unit, columns: Columns, storage: Storage) -> UnitRows:
    """The rows of one unit of a file that is cut. Raises as SliceReader.read does."""
    with SliceReader(plan, plan.files[unit.file], columns, storage) as reader:
        return reader.read(unit.slice)


def stream_slices(
    plan: Plan,
    file: CorpusFile,
    columns: Columns,
    storage: Storage,
    stripe: int,
    stripes: int,
    done: Container[int],
) -> Iterator[UnitRows]:
    """The slices s of a streamed file with s % stripes == stripe that are not in `done`, in order, as they come.

    A slice has plan.shard_rows rows (rejects among them), or 256 MiB if that is less; the last has the rest. How
    a file is dealt out to stripes changes no slice. Where the stream breaks, the rows so far and one reject for the
    file are the last slice. Raises as `read_slice` does, at any slice.
    """
    _check_planned(file, storage)
    with storage.open(file.uri) as handle:
        rows = read_stream(handle, file, columns)
        head = next(rows)
        number = start = 0
        while True:
            wanted = number % stripes == stripe and number not in done
            builder = RowBuilder(plan, file, columns)
            taken = size = 0
            while not isinstance(head, End) and taken < plan.shard_rows and size < MAX_SLICE_BYTES:
                if wanted:
                    head.add_to(builder)
                taken, size = taken + 1, size + head.size
                head = next(rows)
            end = head if isinstance(head, End) else None
            if end is not None and end.error is not None:
                builder.reject_file(end.error)
            if wanted:
                _check_planned(file, storage)
                yield builder.build(Unit(file.number, number), start, head.position, last=end is not None)
            if end is not None:
                return
            number, start = number + 1, head.position


def _check_planned(file: CorpusFile, storage: Storage) -> None:
    """Asked before a file is read and again after: what was read in between is of the planned file."""
    change = change_of(file, storage)
    if change == GONE:
        raise StorageError(f"{file.uri}: is gone; restore it and run again")
    if change is not None:
        raise InputChangedError(
            f"{file.uri}: {change} since the plan was made; restore it, or run again, with --update where it has shards"
        )
