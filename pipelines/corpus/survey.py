"""One look at a file, at its footer or its first MiB: how it can be cut, and whether it has the columns."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import pyarrow as pa

from pipelines.corpus.column_types import can_be_kept, is_string, plain_type
from pipelines.corpus.csv_rows import csv_records
from pipelines.corpus.cut import cut_bytes, cut_row_groups
from pipelines.corpus.decompress import BrokenStreamError, content_chunks
from pipelines.corpus.first_bytes import other_content
from pipelines.corpus.formats import csv_delimiter, detect_format
from pipelines.corpus.json_rows import BadRowError, is_blank, parse_object
from pipelines.corpus.lines import split_lines
from pipelines.corpus.parquet_footer import NoFooterError, read_footer
from pipelines.corpus.partitions import values_from_path
from pipelines.corpus.plan_types import Columns
from pipelines.corpus.samples import HEAD_BYTES, head_of, mean_row_bytes
from pipelines.storage import FileEntry, Storage

SHOWN_NAMES = 20
JSON_ARRAY = "a JSON array, not JSON Lines; convert it, for example with `jq -c '.[]'`"
JSON_OVER_LINES = "JSON over several lines, not JSON Lines; convert it, for example with `jq -c .`"


@dataclass(frozen=True)
class Survey:
    """What planning has to know of a file.

    types: of the id and kept columns, as they will be in the shards; empty for a file without rows or broken.
    error: why it cannot be read. column_problem: what is wrong with its columns; for JSON Lines, whose rows may
    differ, as far as was looked. has_columns: False where nothing can be said of
    them (broken, empty, or no row was valid).
    """

    entry: FileEntry
    format: str
    compression: str | None
    rows: int | None = None
    bounds: tuple[int, ...] | None = None
    error: str | None = None
    column_problem: str | None = None
    has_columns: bool = False
    types: dict[str, pa.DataType] = field(default_factory=dict)


def survey(entry: FileEntry, columns: Columns, shard_rows: int, storage: Storage) -> Survey:
    """Looks at one file. Raises StorageError when it cannot be opened; bad content is the survey's `error`."""
    kind, compression = detect_format(entry.uri)
    seen = Survey(entry, kind, compression)
    if kind == "parquet":
        return _survey_parquet(seen, columns, shard_rows, storage)
    if kind == "csv":
        return _survey_csv(seen, columns, storage)
    head = head_of(entry.uri, compression, storage)
    if other := other_content(head, kind):
        return replace(seen, error=other)
    if compression is None:
        row_bytes = mean_row_bytes(entry, head, kind == "text", storage)
        seen = replace(seen, bounds=cut_bytes(entry.size, row_bytes, shard_rows))
    if kind == "text":
        return _survey_text(replace(seen, types=_string_types(columns) if head else {}), columns)
    return _survey_json(seen, columns, head)


def _survey_text(seen: Survey, columns: Columns) -> Survey:
    missing = [name for name in columns.keep if name not in values_from_path(columns, seen.entry.uri)]
    problem = f"no column '{missing[0]}' in plain text, nor a folder {missing[0]}=… in its path" if missing else None
    return _with_column_problem(seen, problem)


def _survey_json(seen: Survey, columns: Columns, head: bytes) -> Survey:
    """A key is missing if no row of the head has it, and a kept one only if the head is the whole file."""
    whole = len(head) < HEAD_BYTES
    wanted = set(_columns_due(columns, seen.entry.uri)) - (set() if whole else set(columns.keep))
    names: dict[str, None] = {}
    for line in split_lines([head]):
        try:
            names |= dict.fromkeys(parse_object(line))
        except BadRowError:
            continue
        if wanted <= names.keys():
            break
    if problem := _spread_over_lines(head, names):
        return replace(seen, error=problem)
    missing = [name for name in columns.names if name in wanted and name not in names]
    return replace(
        seen,
        has_columns=bool(names),
        column_problem=_missing_columns(missing, names) if names else None,
        types=_string_types(columns) if head else {},
    )


def _spread_over_lines(head: bytes, names: Collection[str]) -> str | None:
    """Whether the file is one JSON array, or objects of several lines: none of its lines is an object, or its first is
    a bracket and no more."""
    first = next((line.content.strip() for line in split_lines([head]) if not is_blank(line)), b"")
    if first == b"[" or (first.startswith(b"[") and not names):
        return JSON_ARRAY
    return JSON_OVER_LINES if first == b"{" and not names else None


def _survey_csv(seen: Survey, columns: Columns, storage: Storage) -> Survey:
    with storage.open(seen.entry.uri) as file:
        try:
            chunks = content_chunks(file, seen.compression)
            first = next((chunk for chunk in chunks if chunk), b"")
            if other := other_content(first, seen.format):
                return replace(seen, error=other)
            header = next(csv_records(chain([first], chunks), csv_delimiter(seen.entry.uri)), None)
        except BrokenStreamError as error:
            return replace(seen, error=f"no header: {error}")
    if header is None:
        return seen
    if header.fields is None:
        return replace(seen, error=f"no header: {header.problem}")
    seen = replace(seen, types=_string_types(columns))
    due = _columns_due(columns, seen.entry.uri)
    return _with_column_problem(seen, _name_problem(due, columns, header.fields))


def _survey_parquet(seen: Survey, columns: Columns, shard_rows: int, storage: Storage) -> Survey:
    with storage.open(seen.entry.uri) as file:
        try:
            footer = read_footer(file, columns.names)
        except NoFooterError as error:
            return replace(seen, error=str(error))
    schema = footer.schema
    due = _columns_due(columns, seen.entry.uri)
    if problem := _name_problem(due, columns, schema.names) or _type_problem(columns, schema):
        return _with_column_problem(seen, problem)
    kept = {name: plain_type(schema.field(name).type) for name in columns.keep if name in schema.names}
    types = _string_types(columns) | kept
    if columns.id is not None and pa.types.is_integer(plain_type(schema.field(columns.id).type)):
        types["id"] = pa.int64()
    if "text" in types:
        types["text"] = pa.string()
    bounds = cut_row_groups(footer.groups, shard_rows)
    return replace(seen, rows=footer.rows, bounds=bounds, has_columns=True, types=types)


def _string_types(columns: Columns) -> dict[str, pa.DataType]:
    return dict.fromkeys(["id", *columns.keep], pa.string())


def _with_column_problem(seen: Survey, problem: str | None) -> Survey:
    return replace(seen, has_columns=True, column_problem=problem, error=problem)


def _columns_due(columns: Columns, uri: str) -> list[str]:
    """The columns that a file has to have itself: its path does not give them."""
    given = values_from_path(columns, uri)
    return [name for name in columns.names if name not in given]


def _name_problem(due: Sequence[str], columns: Columns, names: Sequence[str]) -> str | None:
    if missing := [name for name in due if name not in names]:
        return _missing_columns(missing, names)
    twice = next((name for name in columns.names if names.count(name) > 1), None)
    return None if twice is None else f"column '{twice}' is there more than once"


def _missing_columns(missing: Sequence[str], names: Iterable[str]) -> str | None:
    if not missing:
        return None
    shown = list(islice(names, SHOWN_NAMES + 1))
    there = ", ".join(chain(shown[:SHOWN_NAMES], ["…"] if len(shown) > SHOWN_NAMES else []))
    return f"no column '{missing[0]}'; there are: {there}" if there else f"no column '{missing[0]}'; there are none"


def _type_problem(columns: Columns, schema: pa.Schema) -> str | None:
    text = schema.field(columns.text).type
    if not is_string(text):
        return f"column '{columns.text}' is {text}, not string"
    if columns.id is not None:
        kind = schema.field(columns.id).type
        if not (is_string(kind) or pa.types.is_integer(plain_type(kind))):
            return f"id column '{columns.id}' is {kind}, neither string nor integer"
    for name in columns.keep:
        if name in schema.names and not can_be_kept(schema.field(name).type):
            return f"column '{name}' is {schema.field(name).type}, a type that cannot be kept"
    return None
