"""The plan of a corpus: its files in a fixed order, each cut into units without reading more than it must.

The same files give the same plan, wherever and whenever it is made.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa

from pipelines.corpus.changes import change_in
from pipelines.corpus.column_types import widened
from pipelines.corpus.formats import detect_format
from pipelines.corpus.plan_file import plan_from_bytes, plan_to_bytes
from pipelines.corpus.plan_types import Columns, CorpusFile, Plan, Unit
from pipelines.corpus.survey import Survey, survey
from pipelines.errors import InputChangedError, UsageError
from pipelines.local_files import local_path
from pipelines.pool_map import pool_map
from pipelines.storage import FileEntry, Storage

__all__ = [
    "Columns",
    "CorpusFile",
    "Plan",
    "Unit",
    "extend_plan",
    "make_plan",
    "plan_from_bytes",
    "plan_to_bytes",
]

READING_THREADS = 32
SHOWN_FILES = 3
# Names that the shards, or the tables on their way there, use themselves.
TAKEN_NAMES = ("id", "row", "tokens", "truncated", "embedding", "chunk", "start", "end")


def make_plan(inputs: Sequence[str], columns: Columns, shard_rows: int, storage: Storage) -> Plan:
    """Plans the files of the inputs: inputs in the order given, each one's files sorted by URI.

    A file that one input reaches twice, through links, is planned once, by the first of its paths. Raises UsageError
    when an input holds no files or holds one of an unknown format, two inputs hold the same file, or a column is in
    none of the files or of a type that cannot be used in any. Where only some of the files are so, it is their `error`.
    """
    _check_columns(columns)
    entries = _list_once(inputs, storage)
    _refuse_ids_of_text(entries, columns)
    surveys = _survey_all(entries, columns, shard_rows, storage)
    known = [seen for seen in surveys if seen.has_columns]
    if known and all(seen.column_problem for seen in known):
        raise UsageError(f"{known[0].entry.uri}: {known[0].column_problem}")
    files, schema = _number(dict(enumerate(surveys)), _first_schema(surveys, columns))
    return Plan(tuple(files), shard_rows, schema)


def extend_plan(
    plan: Plan, inputs: Sequence[str], columns: Columns, storage: Storage, with_shards: Collection[int]
) -> Plan:
    """The plan with the inputs' new files under the next numbers; the plan itself where there is nothing to add.

    with_shards: the numbers of the files that have a shard at least. Of the others, those that changed or had an error
    are planned anew, under their numbers. Files whose columns do not fit the plan's get an `error`. Raises
    InputChangedError, naming the first files, where one is gone, or one with shards has changed; UsageError as
    `make_plan` does.
    """
    _check_columns(columns)
    again = _planned_anew(plan, storage, with_shards)
    planned = {_identity(file.uri) for file in plan.files}
    new = [entry for entry in _list_once(inputs, storage) if _identity(entry.uri) not in planned]
    _refuse_ids_of_text(new, columns)
    if not new and not again:
        return plan
    due = again | dict(enumerate(new, len(plan.files)))
    surveys = _survey_all(list(due.values()), columns, plan.shard_rows, storage)
    files, _ = _number(dict(zip(due, surveys, strict=True)), plan.schema, fixed=True)
    by_number = {file.number: file for file in (*plan.files, *files)}
    return Plan(tuple(by_number[number] for number in sorted(by_number)), plan.shard_rows, plan.schema)


def _planned_anew(plan: Plan, storage: Storage, with_shards: Collection[int]) -> dict[int, FileEntry]:
    """The planned files to look at again, by number, as they are now."""
    entries = list(pool_map(lambda file: storage.entry(file.uri), plan.files, READING_THREADS))
    again: dict[int, FileEntry] = {}
    refused: list[str] = []
    for file, entry in zip(plan.files, entries, strict=True):
        change = change_in(file, entry)
        if entry is None or (change and file.number in with_shards):
            refused.append(f"{file.uri} {change}")
        elif file.number not in with_shards and (change or file.error):
            again[file.number] = entry
    if refused:
        more = f" and {len(refused) - SHOWN_FILES} more" if len(refused) > SHOWN_FILES else ""
        raise InputChangedError(
            f"{', '.join(refused[:SHOWN_FILES])}{more} since the plan was made; restore the input, or use a new output"
        )
    return again


def _check_columns(columns: Columns) -> None:
    taken = [name for name in columns.keep if name in TAKEN_NAMES or (name == "text" and columns.text != "text")]
    if taken:
        raise UsageError(f"cannot keep column '{taken[0]}': the name is used by the shards; rename it in the input")
    twice = [name for name in columns.keep if columns.keep.count(name) > 1]
    if twice:
        raise UsageError(f"column '{twice[0]}' is to be kept twice; name it once")


def _refuse_ids_of_text(entries: Iterable[FileEntry], columns: Columns) -> None:
    if columns.id is None:
        return
    for entry in entries:
        if detect_format(entry.uri)[0] == "text":
            raise UsageError(f"{entry.uri}: plain text has no columns; leave out the id column")


def _list_once(inputs: Sequence[str], storage: Storage) -> list[FileEntry]:
    entries: dict[str, FileEntry] = {}
    for uri in inputs:
        found: dict[str, FileEntry] = {}
        for entry in storage.list_files(uri):
            _check_name(entry.uri)
            detect_format(entry.uri)
            found.setdefault(_identity(entry.uri), entry)
        if twice := next((identity for identity in found if identity in entries), None):
            raise UsageError(_given_twice(found[twice].uri, entries[twice].uri))
        entries |= found
    if not entries:
        raise UsageError("no input given; name files, folders or globs")
    return list(entries.values())


def _given_twice(path: str, first: str) -> str:
    also = "" if path == first else f", also as {first}"
    return f"{path}: given twice{also}; each file belongs to the corpus once"


def _identity(uri: str) -> str:
    """The same for all paths that links give one local file."""
    path = local_path(uri)
    return uri if path is None else str(path.resolve())


def _check_name(uri: str) -> None:
    try:
        uri.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{uri!a}: the file's name is not UTF-8; rename it") from None


def _survey_all(entries: Sequence[FileEntry], columns: Columns, shard_rows: int, storage: Storage) -> list[Survey]:
    return list(pool_map(lambda entry: survey(entry, columns, shard_rows, storage), entries, READING_THREADS))


def _first_schema(surveys: Iterable[Survey], columns: Columns) -> pa.Schema:
    """The id and kept columns as the first file with types has them; strings if none has."""
    types = next((seen.types for seen in surveys if seen.types), {})
    return _schema_of(types, ["id", *columns.keep])


def _schema_of(types: dict[str, pa.DataType], names: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, types.get(name, pa.string())) for name in names])


def _number(
    surveys: Mapping[int, Survey], schema: pa.Schema, fixed: bool = False
) -> tuple[list[CorpusFile], pa.Schema]:
    """The surveyed files, by their numbers, and the one schema that all of them can be read as.

    The schema widens as files need it (int32 and int64 give int64), unless it is fixed by shards already there.
    """
    files: list[CorpusFile] = []
    for number, seen in surveys.items():
        error = seen.error
        if error is None and seen.types:
            schema, error = _merge(schema, _schema_of(seen.types, schema.names), fixed)
        files.append(
            CorpusFile(
                number=number,
                uri=seen.entry.uri,
                size=seen.entry.size,
                version=seen.entry.version,
                format=seen.format,
                compression=seen.compression,
                rows=None if error else seen.rows,
                bounds=None if error else seen.bounds,
                error=error,
            )
        )
    return files, schema


def _merge(schema: pa.Schema, other: pa.Schema, fixed: bool) -> tuple[pa.Schema, str | None]:
    """The schema that holds what both hold without loss, or the schema as it was and why there is none."""
    merged: list[pa.Field] = []
    for mine, others in zip(schema, other, strict=True):
        kind = widened(mine.type, others.type)
        if kind is None or (fixed and kind != mine.type):
            return schema, f"column '{mine.name}' is {others.type}, but {mine.type} in the files before"
        merged.append(mine.with_type(kind))
    return pa.schema(merged), None
