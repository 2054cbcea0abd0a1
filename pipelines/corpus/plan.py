"""The plan of a corpus: its files in a fixed order, each cut into units without reading more than it must.

The same files give the same plan, wherever and whenever it is made.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

from pipelines.corpus.formats import detect_format
from pipelines.corpus.plan_file import plan_from_bytes, plan_to_bytes
from pipelines.corpus.plan_types import Columns, CorpusFile, Plan, Unit
from pipelines.corpus.survey import Survey, survey
from pipelines.errors import InputChangedError, UsageError
from pipelines.storage import FileEntry, Storage

__all__ = [
    "Columns",
    "CorpusFile",
    "Plan",
    "Unit",
    "check_unchanged",
    "extend_plan",
    "make_plan",
    "plan_from_bytes",
    "plan_to_bytes",
]

READING_THREADS = 32
SHOWN_FILES = 3
# Names that the shards, or the tables on their way there, use themselves.
TAKEN_NAMES = ("id", "row", "tokens", "truncated", "embedding", "chunk", "start", "end")

Item = TypeVar("Item")
Result = TypeVar("Result")


def make_plan(inputs: Sequence[str], columns: Columns, shard_rows: int, storage: Storage) -> Plan:
    """Plans the files of the inputs: inputs in the order given, each one's files sorted by URI.

    Raises UsageError when an input holds no files or holds one of an unknown format, a file is given twice, or
    a column is in none of the files or of a type that cannot be used in any. Where only some of the files are
    so, it is their `error`.
    """
    _check_columns(columns)
    entries = _list_once(inputs, storage)
    _refuse_columns_of_text(entries, columns)
    surveys = _survey_all(entries, columns, shard_rows, storage)
    known = [seen for seen in surveys if seen.has_columns]
    if known and all(seen.column_problem for seen in known):
        raise UsageError(f"{known[0].entry.uri}: {known[0].column_problem}")
    files, schema = _number(surveys, _first_schema(surveys, columns), first=0)
    return Plan(tuple(files), shard_rows, schema)


def extend_plan(plan: Plan, inputs: Sequence[str], columns: Columns, storage: Storage) -> Plan:
    """The plan with the inputs' new files appended under the next numbers; the plan itself where none are new.

    Files that the plan has are left as they are, changed or not: `check_unchanged` tells. New files whose
    columns do not fit the plan's get an `error`. Raises UsageError as `make_plan` does.
    """
    _check_columns(columns)
    planned = {file.uri for file in plan.files}
    entries = [entry for entry in _list_once(inputs, storage) if entry.uri not in planned]
    _refuse_columns_of_text(entries, columns)
    if not entries:
        return plan
    surveys = _survey_all(entries, columns, plan.shard_rows, storage)
    files, _ = _number(surveys, plan.schema, first=len(plan.files), fixed=True)
    return Plan((*plan.files, *files), plan.shard_rows, plan.schema)


def check_unchanged(plan: Plan, storage: Storage) -> None:
    """Raises InputChangedError, naming the first files, if any is gone or of another size or version."""
    entries = _in_threads(lambda file: storage.entry(file.uri), plan.files)
    changed = [
        f"{file.uri} {'is gone' if entry is None else 'has changed'}"
        for file, entry in zip(plan.files, entries, strict=True)
        if entry is None or (entry.size, entry.version) != (file.size, file.version)
    ]
    if changed:
        more = f" and {len(changed) - SHOWN_FILES} more" if len(changed) > SHOWN_FILES else ""
        raise InputChangedError(
            f"{', '.join(changed[:SHOWN_FILES])}{more} since the plan was made; restore the input, or use a new output"
        )


def _check_columns(columns: Columns) -> None:
    taken = [name for name in columns.keep if name in TAKEN_NAMES or (name == "text" and columns.text != "text")]
    if taken:
        raise UsageError(f"cannot keep column '{taken[0]}': the name is used by the shards; rename it in the input")
    twice = [name for name in columns.keep if columns.keep.count(name) > 1]
    if twice:
        raise UsageError(f"column '{twice[0]}' is to be kept twice; name it once")


def _refuse_columns_of_text(entries: Iterable[FileEntry], columns: Columns) -> None:
    if columns.id is None and not columns.keep:
        return
    for entry in entries:
        if detect_format(entry.uri)[0] == "text":
            raise UsageError(f"{entry.uri}: plain text has no columns; leave out the id column and the kept columns")


def _list_once(inputs: Sequence[str], storage: Storage) -> list[FileEntry]:
    entries: dict[str, FileEntry] = {}
    for uri in inputs:
        for entry in storage.list_files(uri):
            _check_name(entry.uri)
            detect_format(entry.uri)
            if entry.uri in entries:
                raise UsageError(f"{entry.uri}: given twice; each file belongs to the corpus once")
            entries[entry.uri] = entry
    if not entries:
        raise UsageError("no input given; name files, folders or globs")
    return list(entries.values())


def _check_name(uri: str) -> None:
    try:
        uri.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{uri!a}: the file's name is not UTF-8; rename it") from None


def _survey_all(entries: Sequence[FileEntry], columns: Columns, shard_rows: int, storage: Storage) -> list[Survey]:
    return _in_threads(lambda entry: survey(entry, columns, shard_rows, storage), entries)


def _in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    with ThreadPoolExecutor(READING_THREADS) as pool:
        return list(pool.map(work, items))


def _first_schema(surveys: Iterable[Survey], columns: Columns) -> pa.Schema:
    """The id and kept columns as the first file with types has them; strings if none has."""
    types = next((seen.types for seen in surveys if seen.types), {})
    return _schema_of(types, ["id", *columns.keep])


def _schema_of(types: dict[str, pa.DataType], names: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, types.get(name, pa.string())) for name in names])


def _number(
    surveys: Iterable[Survey], schema: pa.Schema, first: int, fixed: bool = False
) -> tuple[list[CorpusFile], pa.Schema]:
    """The surveyed files under their numbers, and the one schema that all of them can be read as.

    The schema widens as files need it (int32 and int64 give int64), unless it is fixed by shards already there.
    """
    files: list[CorpusFile] = []
    for number, seen in enumerate(surveys, first):
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
    if other == schema:
        return schema, None
    for mine, others in zip(schema, other, strict=True):
        try:
            merged = pa.unify_schemas([pa.schema([mine]), pa.schema([others])], promote_options="permissive")
        except pa.ArrowException:
            merged = None
        if merged is None or (fixed and merged.field(0).type != mine.type):
            return schema, f"column '{mine.name}' is {others.type}, but {mine.type} in the files before"
    return pa.unify_schemas([schema, other], promote_options="permissive"), None
