"""Bad rows and bad files in Parquet."""

import base64
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from pipelines.corpus.plan import Columns
from tests.pipelines.bad_input.bad_file import GOOD, Bad
from tests.pipelines.output.fake_job import TEXT

KEYED = Columns("text", "key")
KEEPING = Columns("text", None, ("kept",))
UNREADABLE = "not a readable Parquet file: "


def parquet(table: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    """A Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), sink, **options)
    return sink.getvalue()


def strings(*values: bytes) -> pa.Array:
    """A column of strings, valid or not."""
    return pa.array(values, pa.binary()).view(pa.string())


def damaged_page() -> bytes:
    """Its second page is not what was written; all its pages carry checksums."""
    texts = [*GOOD, *(f"{number:050}" for number in range(3000))]
    pages = {"use_dictionary": False, "compression": "none", "data_page_size": 1, "write_page_checksum": True}
    content = bytearray(parquet({"text": texts}, **pages))
    place = content.index(f"{1100:050}".encode())
    content[place] ^= 1
    return bytes(content)


class NoKeys(pe.KmsClient):
    """Encrypts keys by no more than base64."""

    def __init__(self, _: pe.KmsConnectionConfig) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return base64.b64encode(key_bytes)

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        return base64.b64decode(wrapped_key)


def encrypted(plaintext_footer: bool) -> bytes:
    """Its text column is encrypted, and its footer too or not."""
    configuration = pe.EncryptionConfiguration(
        "footer", column_keys={"column": ["text"]}, plaintext_footer=plaintext_footer
    )
    properties = pe.CryptoFactory(NoKeys).file_encryption_properties(pe.KmsConnectionConfig(), configuration)
    table = pa.table({"text": ["a"], "other": [1]})
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    return sink.getvalue()


SOUND = parquet({"text": list(GOOD)})
TWICE = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])


def bad_row(fault: str, table: dict[str, Any], reason: str, columns: Columns = TEXT) -> Bad:
    """A table with one bad row."""
    return Bad(fault, "a.parquet", parquet(table), reason, columns=columns)


def bad_file(fault: str, content: bytes, reason: str, columns: Columns = TEXT) -> Bad:
    """A file of which nothing can be used."""
    return Bad(fault, "a.parquet", content, reason, (), columns)


BAD_ROWS = [
    bad_row("the text is null", {"text": [GOOD[0], None, GOOD[1]]}, "text is null"),
    bad_row("invalid UTF-8 in the text", {"text": strings(b"good", b"\xff", b"good too")}, "text is invalid UTF-8"),
    bad_row("the id is null", {"text": [GOOD[0], "a", GOOD[1]], "key": ["0", None, "2"]}, "id is null", KEYED),
    bad_row(
        "invalid UTF-8 in the id",
        {"text": [GOOD[0], "a", GOOD[1]], "key": strings(b"0", b"\xff", b"2")},
        "id is invalid UTF-8",
        KEYED,
    ),
    bad_row(
        "invalid UTF-8 in a kept column",
        {"text": [GOOD[0], "a", GOOD[1]], "kept": strings(b"0", b"\xff", b"2")},
        "column 'kept' is invalid UTF-8",
        KEEPING,
    ),
]
BAD_COLUMNS = [
    bad_file("the texts are numbers", parquet({"text": [1, 2]}), "column 'text' is int64, not string"),
    bad_file("the texts are bytes", parquet({"text": [b"a"]}), "column 'text' is binary, not string"),
    bad_file("the texts are lists", parquet({"text": [["a"]]}), "column 'text' is list<element: string>, not string"),
    bad_file("the texts have no type", parquet({"text": pa.nulls(2)}), "column 'text' is null, not string"),
    bad_file("no text column", parquet({"body": ["a"]}), "no column 'text'; there are: body"),
    bad_file("no columns at all", parquet({}), "no column 'text'; there are none"),
    bad_file("two text columns", parquet(TWICE), "column 'text' is there more than once"),
    bad_file(
        "the ids are fractions",
        parquet({"text": ["a"], "key": [0.5]}),
        "id column 'key' is double, neither string nor integer",
        KEYED,
    ),
    bad_file("no id column", parquet({"text": ["a"]}), "no column 'key'; there are: text", KEYED),
]
BAD_BYTES = [
    bad_file("an empty file", b"", UNREADABLE + "it is empty"),
    bad_file("another format", b'{"text": "a"}\n', UNREADABLE + "it does not begin with PAR1"),
    bad_file("a hole of zeros", bytes(1000), UNREADABLE + "it does not begin with PAR1"),
    bad_file("a file cut off", SOUND[: len(SOUND) // 2], UNREADABLE + "it is cut off: it does not end with PAR1"),
    bad_file("no footer", b"PAR1 but no footer", UNREADABLE + "it is cut off: it does not end with PAR1"),
    bad_file(
        "a footer longer than the file",
        SOUND[:-8] + b"\xff\xff\xff\x7fPAR1",
        f"{UNREADABLE}Parquet file size is {len(SOUND)} bytes, smaller than the size reported by footer's "
        "(2147483647bytes)",
    ),
    bad_file("an encrypted file", encrypted(plaintext_footer=False), UNREADABLE + "it is encrypted; decrypt it"),
    bad_file("an encrypted column", encrypted(plaintext_footer=True), UNREADABLE + "it is encrypted; decrypt it"),
]
DAMAGED_PAGE = Bad(
    "a damaged page",
    "a.parquet",
    damaged_page(),
    "cannot be read on: could not verify page integrity, CRC checksum verification failed for page_ordinal 1",
    (*GOOD, *(f"{number:050}" for number in range(1022))),
    rejects=2,
)
BAD_PARQUET = [*BAD_ROWS, *BAD_COLUMNS, *BAD_BYTES, DAMAGED_PAGE]
