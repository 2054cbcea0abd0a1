"""Compressed files that break, and files whose names do not say what they hold."""

import bz2
import gzip
import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.pipelines.bad_input.bad_file import Bad

GOOD = tuple(hashlib.sha256(b"%d" % number).hexdigest() for number in range(200))
LINES = "".join(f'{{"text": "{text}"}}\n' for text in GOOD).encode()
COMPRESS = {
    "gzip": (".gz", gzip.compress(LINES, mtime=0)),
    "zstd": (".zst", zstandard.ZstdCompressor(write_checksum=True).compress(LINES)),
    "bz2": (".bz2", bz2.compress(LINES)),
}


def parquet_file() -> bytes:
    """One of one text."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"]}), sink)
    return sink.getvalue()


def other_name(what: str, name: str, content: bytes, kind: str) -> Bad:
    """A file that holds something else than its name says."""
    remedy = "convert it to UTF-8" if what == "UTF-16 text" else "name it by what it holds, or unpack it"
    return Bad(f"{what} named {kind}", name, content, f"it holds {what}, not {kind}; {remedy}", ())


BROKEN = [
    bad
    for kind, (ending, stream) in COMPRESS.items()
    for bad in (
        Bad(f"a cut {kind} stream", f"a.jsonl{ending}", stream[:-4], f"truncated {kind} stream", GOOD),
        Bad(
            f"garbage after a {kind} stream",
            f"a.jsonl{ending}",
            stream + b"garbage",
            f"after the end of its {kind} stream comes something else",
            GOOD,
        ),
        Bad(
            f"no {kind} stream",
            f"a.jsonl{ending}",
            LINES,
            f"its name says {kind}, its first bytes do not; name it by what it holds",
            (),
        ),
    )
]
WRONG_SUMS = [
    Bad(
        "a wrong gzip checksum",
        "a.txt.gz",
        gzip.compress(b"good\n", mtime=0)[:-8] + bytes(8),
        "broken gzip stream: incorrect data check",
        (),
    ),
    Bad(
        "a wrong gzip length",
        "a.txt.gz",
        gzip.compress(b"good\n", mtime=0)[:-4] + bytes(4),
        "broken gzip stream: incorrect length check",
        (),
    ),
    Bad(
        "a wrong zstd checksum",
        "a.jsonl.zst",
        COMPRESS["zstd"][1][:-4] + bytes(4),
        "broken zstd stream: Restored data doesn't match checksum",
        (),
    ),
    Bad(
        "a wrong bz2 checksum",
        "a.jsonl.bz2",
        COMPRESS["bz2"][1][:-8] + bytes(8),
        "broken bz2 stream: Invalid data stream",
        (),
    ),
    Bad(
        "a cut CSV stream", "a.csv.gz", gzip.compress(b"text\ngood\n", mtime=0)[:-4], "truncated gzip stream", ("good",)
    ),
]
OTHER_NAMES = [
    other_name("gzip data", "a.jsonl", COMPRESS["gzip"][1], "JSON Lines"),
    other_name("gzip data", "a.csv", COMPRESS["gzip"][1], "CSV"),
    other_name("gzip data", "a.txt", COMPRESS["gzip"][1], "plain text"),
    other_name("gzip data", "a.jsonl.gz", gzip.compress(COMPRESS["gzip"][1]), "JSON Lines"),
    other_name("zstd data", "a.jsonl", COMPRESS["zstd"][1], "JSON Lines"),
    other_name("bz2 data", "a.txt", COMPRESS["bz2"][1], "plain text"),
    other_name("a zip archive", "a.jsonl", b"PK\x03\x04 and more", "JSON Lines"),
    other_name("a Parquet file", "a.csv", parquet_file(), "CSV"),
    other_name("UTF-16 text", "a.txt", "good\n".encode("utf-16"), "plain text"),
    other_name("UTF-16 text", "a.csv", "text\ngood\n".encode("utf-16"), "CSV"),
]
BAD_STREAMS = [*BROKEN, *WRONG_SUMS, *OTHER_NAMES]
