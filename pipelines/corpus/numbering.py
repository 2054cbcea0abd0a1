"""Files are surveyed, get their numbers, and with them the one schema of the corpus."""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from pipelines.corpus.column_types import widened
from pipelines.corpus.plan_types import Columns, CorpusFile
from pipelines.corpus.survey import Survey, survey
from pipelines.pool_map import pool_map
from pipelines.storage import FileEntry, Storage

READING_THREADS = 32


def survey_all(entries: Sequence[FileEntry], columns: Columns, shard_rows: int, storage: Storage) -> list[Survey]:
    """One look into each file, many at a time."""
    return list(pool_map(lambda entry: survey(entry, columns, shard_rows, storage), entries, READING_THREADS))


def first_schema(surveys: Iterable[Survey], columns: Columns) -> pa.Schema:
    """The id and kept columns as the first sound file with types has them; strings if none has."""
    types = next((seen.types for seen in surveys if seen.types and seen.error is None), {})
    return _schema_of(types, ["id", *columns.keep])


def number_files(
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


def _schema_of(types: dict[str, pa.DataType], names: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, types.get(name, pa.string())) for name in names])


def _merge(schema: pa.Schema, other: pa.Schema, fixed: bool) -> tuple[pa.Schema, str | None]:
    """The schema that holds what both hold without loss, or the schema as it was and why there is none."""
    merged: list[pa.Field] = []
    for mine, others in zip(schema, other, strict=True):
        kind = widened(mine.type, others.type)
        if kind is None or (fixed and kind != mine.type):
            return schema, f"column '{mine.name}' is {others.type}, but {mine.type} in the files before"
        merged.append(mine.with_type(kind))
    return pa.schema(merged), None
