"""How many rows a unit has where nobody says: small units show up soon, and a shard fits in memory."""

from pipelines.encoder.saved_model_file import sequence_width
from pipelines.encoder.spec import DEFAULT_MAX_TOKENS, ResolvedSpec
from pipelines.output.quantized import vector_bytes

# Small units lose little to a crash; on a GPU a unit of this many rows takes seconds.
CPU_SHARD_ROWS = 1000
GPU_SHARD_ROWS = 50_000

# With a vector a token, a unit has about so many rows, or as many as a worker holds in this when all are of full
# length.
SEQUENCE_SHARD_ROWS = 250
SEQUENCE_SHARD_BYTES = 256 << 20

# As wide as encoders get: for a model that does not tell its width.
WIDE = 4096
WIDE_ROW_BYTES = DEFAULT_MAX_TOKENS * vector_bytes(WIDE, "float32")


def default_shard_rows(pooling: str | None, gpus_per_worker: float, sequence_bytes: int = WIDE_ROW_BYTES) -> int:
    """Rows of a unit, about. sequence_bytes: of the vectors of one row's tokens at full length, as encoded."""
    if pooling == "sequence":
        return min(SEQUENCE_SHARD_ROWS, max(1, SEQUENCE_SHARD_BYTES // sequence_bytes))
    return GPU_SHARD_ROWS if gpus_per_worker else CPU_SHARD_ROWS


def begins_small(shard_rows: int, pooling: str | None, gpus_per_worker: float) -> bool:
    """Whether the first units of a new plan are smaller: where they have the default size, unless it is small itself.

    By the size alone, so that a rerun that does not name it makes the same plan.
    """
    return pooling != "sequence" and shard_rows == default_shard_rows(pooling, gpus_per_worker)


def sequence_bytes(resolved: ResolvedSpec) -> int:
    """The bytes of the vectors of one row's tokens at full length, as encoded."""
    width = sequence_width(resolved.model_folder) or WIDE
    return resolved.max_tokens * vector_bytes(width, resolved.spec.encoded_dtype)
