"""The plan as data: which files a corpus has, and the units they are cut into."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

PLAIN_SCHEMA = pa.schema([pa.field("id", pa.string())])


@dataclass(frozen=True)
class Columns:
    """The input columns that a job reads: the text, the id (None: from file and row), and those carried over."""

    text: str
    id: str | None = None
    keep: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys([self.text, *([] if self.id is None else [self.id]), *self.keep]))


class Unit(NamedTuple):
    """A slice of one file: the grain of scheduling, retry and resume."""

    file: int
    slice: int

    @property
    def name(self) -> str:
        """The name that the unit's shard and rejects file follow from."""
        return f"part-{self.file:06d}-{self.slice:06d}"


class FileState(StrEnum):
    """current: of the input. vanished: the input has it no longer, but its rows are kept. retired: replaced under
    another number, or pruned; it has no units any more, and its number is never used again."""

    CURRENT = "current"
    VANISHED = "vanished"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """One input file as it was when planned.

    format: parquet, jsonl, csv or text. compression: gzip, zstd, bz2 or None. rows: None where only reading the
    file would tell. bounds: the slices' boundaries, one more than there are slices, in rows (Parquet) or bytes
    (uncompressed JSON Lines and text); None for a file that is streamed. error: why the file cannot be read at
    all; it then has one unit, slice 0, which yields no rows and one reject for the file.
    """

    number: int
    uri: str
    size: int
    version: str
    format: str
    compression: str | None
    rows: int | None
    bounds: tuple[int, ...] | None
    error: str | None
    state: FileState = FileState.CURRENT

    @property
    def retired(self) -> bool:
        """Whether it has no units any more."""
        return self.state is FileState.RETIRED

    @property
    def slices(self) -> int | None:
        """How many slices the file has; None for a streamed file, whose slices are known only as they come."""
        if self.error is not None:
            return 1
        return None if self.bounds is None else len(self.bounds) - 1

    @property
    def streamed(self) -> bool:
        """Whether the file's slices are numbered as they come."""
        return self.slices is None


@dataclass(frozen=True)
class Plan:
    """The files of a corpus, each at the index that is its number.

    shard_rows: about how many rows a unit has. schema: the Arrow types of `id` and the kept columns, the same
    for every unit of the plan. revision: counted up when shards of a finished output are made again, so that its
    manifest can be told to be of before.
    """

    files: tuple[CorpusFile, ...]
    shard_rows: int
    schema: pa.Schema = PLAIN_SCHEMA
    revision: int = 0

    @cached_property
    def live(self) -> tuple[CorpusFile, ...]:
        """The files that have units: all but the retired ones."""
        return tuple(file for file in self.files if not file.retired)

    def units_of(self, file: CorpusFile) -> Iterator[Unit]:
        """The file's units in order; none for a streamed file, whose units are known only as they come."""
        return (Unit(file.number, number) for number in range(file.slices or 0))

    def units(self) -> Iterator[Unit]:
        """The units of all files that are neither streamed nor retired."""
        return (unit for file in self.live for unit in self.units_of(file))
