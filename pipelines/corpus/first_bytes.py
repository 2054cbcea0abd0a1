"""What a file holds, told by its first bytes, where its name says otherwise."""

import re

SIGNS = (
    (re.compile(rb"\x1f\x8b"), "gzip data"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd data"),
    (re.compile(rb"BZh[1-9]1AY&SY"), "bz2 data"),
    (re.compile(rb"\xfd7zXZ\0"), "xz data"),
    (re.compile(rb"PK\x03\x04"), "a zip archive"),
    (re.compile(rb"PAR1\x15"), "a Parquet file"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "UTF-16 text"),
)
EXPECTED = {"parquet": "Parquet", "jsonl": "JSON Lines", "csv": "CSV", "text": "plain text"}


def other_content(head: bytes, kind: str) -> str | None:
    """What is wrong with a file of this format that begins with these bytes, uncompressed; None if nothing shows."""
    found = next((what for sign, what in SIGNS if sign.match(head)), None)
    if found is None or (kind == "parquet" and found == "a Parquet file"):
        return None
    remedy = "convert it to UTF-8" if found == "UTF-16 text" else "name it by what it holds, or unpack it"
    return f"it holds {found}, not {EXPECTED[kind]}; {remedy}"
