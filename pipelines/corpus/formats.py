"""What a file's name says of its format and compression."""

from pipelines.errors import UsageError

FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
    ".text": "text",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2"}


def detect_format(uri: str) -> tuple[str, str | None]:
    """The format (parquet, jsonl, csv, text) and compression (gzip, zstd, bz2, None), by the name's extensions.

    Raises UsageError for any other name.
    """
    stem, compression = _split_ending(uri.lower(), COMPRESSIONS)
    _, kind = _split_ending(stem, FORMATS)
    if kind is None or (kind == "parquet" and compression):
        known = " ".join(FORMATS)
        raise UsageError(
            f"{uri}: unknown format; known are {known}, all but Parquet also with {' '.join(COMPRESSIONS)} "
            "(a quoted glob leaves other files out)"
        )
    return kind, compression


def csv_delimiter(uri: str) -> str:
    """A tab in .tsv files, else a comma."""
    stem, _ = _split_ending(uri.lower(), COMPRESSIONS)
    return "\t" if stem.endswith(".tsv") else ","


def _split_ending(name: str, endings: dict[str, str]) -> tuple[str, str | None]:
    for ending, meaning in endings.items():
        if name.endswith(ending):
            return name.removesuffix(ending), meaning
    return name, None
