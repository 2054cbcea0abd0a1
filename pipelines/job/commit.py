"""Writes what a unit became: its rejects first, then its shard, whose presence is the commit."""

from pipelines.corpus.plan import Columns, Plan
from pipelines.job.embedded import EmbeddedRows
from pipelines.job.work_order import UnitEncoder
from pipelines.output.chunk_columns import chunk_rows
from pipelines.output.layout import Output
from pipelines.output.quantized import quantized
from pipelines.output.rejects import rejects_bytes
from pipelines.output.shard import shard_bytes, shard_table
from pipelines.output.shard_info import ShardInfo
from pipelines.version import encorpus_version


def commit_unit(
    output: Output,
    plan: Plan,
    columns: Columns,
    embedded: EmbeddedRows,
    encoder: UnitEncoder,
    replacing: bool = False,
) -> ShardInfo:
    """Commits a unit and returns what its footer says. Doing it twice writes the same rows to the same names.

    replacing: whether the unit may have a shard with other rows, which then makes way before its rejects change, so
    that the two never disagree. Raises StorageError.
    """
    rows, dtype = embedded.rows, encoder.resolved.spec.dtype
    file, own = plan.files[rows.unit.file], rows.table.select(plan.schema.names)
    stored = quantized(embedded.vectors, dtype)
    table = shard_table(
        own if embedded.chunks is None else chunk_rows(own, columns.text, embedded.chunks),
        embedded.tokens,
        embedded.truncated,
        stored.vectors,
        encoder.dimension,
        dtype,
    )
    data, info = shard_bytes(
        table,
        ShardInfo(
            unit=rows.unit.name,
            file=file.uri,
            version=file.version,
            start=rows.start,
            stop=rows.stop,
            last=rows.last,
            rows=table.num_rows,
            documents=rows.table.num_rows,
            rejects=rows.rejects.num_rows,
            tokens=int(embedded.tokens.sum()),
            truncated=int(embedded.truncated.sum()),
            fingerprint=encoder.fingerprint,
            encorpus_version=encorpus_version(),
            dimension=encoder.dimension,
            scale=stored.scale,
        ),
    )
    if replacing:
        output.storage.delete(output.shard_uri(rows.unit))
        output.storage.settle(output.uri)
    rejects_uri = output.rejects_uri(rows.unit)
    if rows.rejects.num_rows:
        output.storage.write_atomic(rejects_uri, rejects_bytes(rows.rejects))
    else:
        # An earlier attempt may have had some: a vector is finite or not by the machine's leave, too.
        output.storage.delete(rejects_uri)
    # A shard that a power cut takes away is made again; `write_manifest` settles them all.
    output.storage.write_atomic(output.shard_uri(rows.unit), data, lasting=False)
    return info
