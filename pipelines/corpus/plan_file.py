"""The plan as the bytes of plan.parquet, and back."""

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan_types import CorpusFile, FileState, Plan

SHARD_ROWS_KEY = b"encorpus.shard_rows"
SCHEMA_KEY = b"encorpus.schema"
REVISION_KEY = b"encorpus.revision"

PLAN_SCHEMA = pa.schema(
    [
        ("number", pa.int32()),
        ("uri", pa.string()),
        ("size", pa.int64()),
        ("version", pa.string()),
        ("format", pa.string()),
        ("compression", pa.string()),
        ("rows", pa.int64()),
        ("bounds", pa.list_(pa.int64())),
        ("error", pa.string()),
        ("state", pa.string()),
    ]
)


def plan_to_bytes(plan: Plan) -> bytes:
    """plan.parquet: a row a file; shard_rows, revision and the schema of id and kept columns in its metadata."""
    names = PLAN_SCHEMA.names
    columns = {name: [getattr(file, name) for file in plan.files] for name in names}
    metadata = {
        SHARD_ROWS_KEY: str(plan.shard_rows).encode(),
        SCHEMA_KEY: plan.schema.serialize().to_pybytes(),
        REVISION_KEY: str(plan.revision).encode(),
    }
    table = pa.table(columns, schema=PLAN_SCHEMA.with_metadata(metadata))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def plan_from_bytes(data: bytes) -> Plan:
    """The plan that `plan_to_bytes` wrote."""
    table = pq.read_table(pa.BufferReader(data))
    metadata = table.schema.metadata
    columns = {name: table[name].to_pylist() for name in PLAN_SCHEMA.names}
    columns["bounds"] = [None if bounds is None else tuple(bounds) for bounds in columns["bounds"]]
    columns["state"] = list(map(FileState, columns["state"]))
    files = tuple(CorpusFile(*row) for row in zip(*columns.values(), strict=True))
    schema = pa.ipc.read_schema(pa.py_buffer(metadata[SCHEMA_KEY]))
    return Plan(files, int(metadata[SHARD_ROWS_KEY]), schema, int(metadata[REVISION_KEY]))


def plan_digest(data: bytes) -> str:
    """SHA-256 of plan.parquet: what tells one plan from another."""
    return hashlib.sha256(data).hexdigest()
