"""Writes what a unit became: its rejects first, then its shard, whose presence is the commit."""

import io

import pyarrow.parquet as pq

from pipelines.corpus.plan import CorpusFile
from pipelines.corpus.rows import UnitRows
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.encoder.tokenizer import Tokens
from pipelines.output.layout import Output
from pipelines.output.shard import ShardInfo, Vectors, shard_bytes, shard_table
from pipelines.version import encorpus_version


def commit_unit(
    output: Output, file: CorpusFile, kept: list[str], rows: UnitRows, tokens: Tokens, vectors: Vectors, encoder: TextEncoder
) -> ShardInfo:
    """Commits a unit and returns what its footer says. Doing it twice writes the same rows to the same names.

    kept: the columns of `rows.table` that go into the shard, `id` first. Raises StorageError.
    """
    truncated = tokens.truncated[tokens.row]
    lengths = tokens.lengths[tokens.row]
    table = shard_table(
        rows.table.select(kept), lengths, truncated, vectors, encoder.dimension, encoder.resolved.spec.dtype
    )
    info = ShardInfo(
        unit=rows.unit.name,
        file=file.uri,
        version=file.version,
        start=rows.start,
        stop=rows.stop,
        last=rows.last,
        rows=rows.table.num_rows,
        rejects=rows.rejects.num_rows,
        tokens=int(lengths.sum()),
        truncated=int(truncated.sum()),
        fingerprint=encoder.fingerprint,
        encorpus_version=encorpus_version(),
    )
    data, info = shard_bytes(table, info)
    _write_rejects(output, rows)
    output.storage.write_atomic(output.shard_uri(rows.unit), data)
    return info


def _write_rejects(output: Output, rows: UnitRows) -> None:
    """Writes the unit's rejects; where it has none, none of an earlier attempt stay behind."""
    uri = output.rejects_uri(rows.unit)
    if not rows.rejects.num_rows:
        output.storage.delete(uri)
        return
    sink = io.BytesIO()
    pq.write_table(rows.rejects, sink, compression="zstd")
    output.storage.write_atomic(uri, sink.getbuffer())
