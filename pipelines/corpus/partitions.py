"""Hive-partitioned folders: a path such as `lang=en/year=2024/part.parquet` says what columns its file leaves out."""

from urllib.parse import unquote

from pipelines.corpus.plan_types import Columns

# What Hive and Spark call the folder of rows whose value is null.
NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"


def partition_values(uri: str) -> dict[str, str | None]:
    """The keys of the path's folders with their values, percent-decoded; of one key's folders the innermost counts."""
    folders = (folder.partition("=") for folder in uri.split("/")[:-1])
    return {
        unquote(key): None if value == NULL_FOLDER else unquote(value) for key, sign, value in folders if key and sign
    }


def values_from_path(columns: Columns, uri: str) -> dict[str, str | None]:
    """The kept columns that a file's path gives, each for all rows that have no such column or key of their own."""
    values = partition_values(uri)
    return {name: values[name] for name in columns.keep if name in values and name not in (columns.text, columns.id)}
