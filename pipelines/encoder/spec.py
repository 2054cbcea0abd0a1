"""The encoder spec: everything that decides a vector, and the fingerprint that names it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.encoder.folder_digest import folder_digest
from pipelines.encoder.recommendation import (
    LEAST_TOKENS,
    POOLINGS,
    RECOMMENDATION_FILE,
    Recommendation,
    recommendation,
)
from pipelines.encoder.resolve import reason_of, resolve_model
from pipelines.encoder.saved_model_file import longest_text
from pipelines.errors import ModelError, UsageError

DTYPES = ("float32", "float16", "int8", "binary")
PRECISIONS = ("float32", "bfloat16", "float16")
CHUNK_POOLS = ("mean",)

# The published preprocessors pack 128 tokens, so this is what the published snippet's vectors see.
DEFAULT_MAX_TOKENS = 128


@dataclass(frozen=True)
class EncoderSpec:
    """What the user asks for. `None` means: what the model recommends, else the encoder API's default.

    model, preprocessor: handles (a local folder, a `.tar.gz`, an `https://` handle, a folder at an fsspec URI).
    layers: indexes into `encoder_outputs` whose mean replaces `sequence_output`; negative ones count from the end.
    dtype: of the vectors in a shard. precision: of the matrix products inside. chunk_tokens: documents become chunks
    of at most so many tokens, special ones included; it takes the place of max_tokens. chunk_overlap: tokens that a
    chunk repeats of the one before. chunk_pool: `mean` for one vector a document, else each chunk has its own.
    """

    model: str
    preprocessor: str | None = None
    pooling: str | None = None
    layers: tuple[int, ...] = ()
    normalize: bool | None = None
    max_tokens: int | None = None
    dtype: str = "float32"
    precision: str = "float32"
    chunk_tokens: int | None = None
    chunk_overlap: int = 0
    chunk_pool: str | None = None

    @property
    def encoded_dtype(self) -> str:
        """Of the vectors that the encoder gives: for int8 and binary, which only a shard's vectors become, float32."""
        return "float16" if self.dtype == "float16" else "float32"

    def __post_init__(self) -> None:
        # JSON knows lists alone, and a spec is hashed.
        object.__setattr__(self, "layers", tuple(self.layers))
        _require(self.pooling is None or self.pooling in POOLINGS, "--pooling", self.pooling, POOLINGS)
        _require(self.dtype in DTYPES, "--dtype", self.dtype, DTYPES)
        _require(self.precision in PRECISIONS, "--precision", self.precision, PRECISIONS)
        if self.max_tokens is not None and self.max_tokens < LEAST_TOKENS:
            raise UsageError(
                f"--max-tokens {self.max_tokens}: at least {LEAST_TOKENS} (two of them are [CLS] and [SEP])"
            )
        if self.layers and self.pooling == "pooled":
            raise UsageError("--layers and --pooling pooled exclude each other: choose cls, mean, max or sequence")
        _check_chunks(self)


@dataclass(frozen=True)
class ResolvedSpec:
    """An encoder spec with nothing left open, and its SavedModels as folders on this machine."""

    spec: EncoderSpec
    pooling: str
    normalize: bool
    max_tokens: int
    model_folder: Path
    preprocessor_folder: Path | None
    fingerprint: str

    def describe(self) -> dict[str, object]:
        """What decides the vectors, as plain values for job.json and for people."""
        return {
            "model": self.spec.model,
            "preprocessor": self.spec.preprocessor,
            **_deciding_options(self.spec, self.pooling, self.normalize, self.max_tokens),
        }


def resolve_spec(spec: EncoderSpec, storage_options: Mapping[str, Any] | None = None) -> ResolvedSpec:
    """Fetches the SavedModels and settles what the spec leaves open; imports no TensorFlow.

    Raises ModelError when a handle leads to no SavedModel, and UsageError when the spec asks for more tokens or other
    layers than the model is known to have. What only loading it can tell, loading it checks.
    """
    try:
        return _settled(spec, storage_options)
    except OSError as error:
        raise ModelError(f"model {spec.model}: cannot be read: {reason_of(error)}") from error


def _settled(spec: EncoderSpec, storage_options: Mapping[str, Any] | None) -> ResolvedSpec:
    model_folder = resolve_model(spec.model, storage_options)
    advice = recommendation(model_folder)
    preprocessor_folder = _preprocessor_folder(spec, model_folder, advice, storage_options)
    pooling = spec.pooling or advice.pooling or ("mean" if spec.layers else "pooled")
    if spec.layers and pooling == "pooled":
        raise UsageError("--layers needs --pooling cls, mean, max or sequence: this model recommends pooled")
    if spec.normalize and pooling == "sequence":
        raise UsageError("--normalize and --pooling sequence exclude each other: leave one out")
    if spec.chunk_pool and pooling == "sequence":
        raise UsageError("--chunk-pool and --pooling sequence exclude each other: leave one out")
    normalize = bool(advice.normalize) and pooling != "sequence" if spec.normalize is None else spec.normalize
    if advice.layers is not None:
        check_layers(spec.layers, advice.layers)
    max_tokens = _settle_max_tokens(spec, advice, longest_text(model_folder))
    hashed = {
        "model": folder_digest(model_folder),
        "preprocessor": folder_digest(preprocessor_folder) if preprocessor_folder else None,
        **_deciding_options(spec, pooling, normalize, max_tokens),
    }
    fingerprint = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    return ResolvedSpec(spec, pooling, normalize, max_tokens, model_folder, preprocessor_folder, fingerprint)


def check_max_tokens(spec: EncoderSpec, max_tokens: int, longest: int | None) -> None:
    """UsageError where the model takes no texts of so many tokens. longest: None where it does not tell."""
    if longest is not None and max_tokens > longest:
        option = "--chunk-tokens" if spec.chunk_tokens else "--max-tokens"
        raise UsageError(f"{option} {max_tokens}: the model takes at most {longest} tokens; ask for at most that")


def check_layers(layers: tuple[int, ...], count: int) -> None:
    """UsageError where one of the layers is not among the `count` encoder_outputs that the model gives."""
    if layers and count == 0:
        raise UsageError("--layers: this model gives no encoder_outputs; leave out --layers")
    for layer in layers:
        if not -count <= layer < count:
            raise UsageError(
                f"--layers {layer}: this model gives {count} encoder_outputs, 0 to {count - 1} or negative from the end"
            )


def _deciding_options(spec: EncoderSpec, pooling: str, normalize: bool, max_tokens: int) -> dict[str, object]:
    return {
        "pooling": pooling,
        "layers": sorted(spec.layers),
        "normalize": normalize,
        "max_tokens": max_tokens,
        "dtype": spec.dtype,
        "precision": spec.precision,
        "chunk_tokens": spec.chunk_tokens,
        "chunk_overlap": spec.chunk_overlap,
        "chunk_pool": spec.chunk_pool,
    }


def _preprocessor_folder(
    spec: EncoderSpec, model_folder: Path, advice: Recommendation, storage_options: Mapping[str, Any] | None
) -> Path | None:
    if spec.preprocessor:
        return resolve_model(spec.preprocessor, storage_options)
    if advice.preprocessor is None:
        return None
    folder = model_folder / advice.preprocessor
    if not (folder / "saved_model.pb").is_file():
        raise ModelError(
            f"{model_folder / RECOMMENDATION_FILE} names the preprocessor {advice.preprocessor!r}, which is not there"
        )
    return folder


def _settle_max_tokens(spec: EncoderSpec, advice: Recommendation, longest: int | None) -> int:
    """What is asked for, if the model takes it; else what is recommended or the default, as far as the model goes."""
    asked = spec.chunk_tokens or spec.max_tokens
    if asked is not None:
        check_max_tokens(spec, asked, longest)
        return asked
    wanted = advice.max_tokens or DEFAULT_MAX_TOKENS
    return wanted if longest is None else min(wanted, longest)


def _check_chunks(spec: EncoderSpec) -> None:
    chunk, overlap = spec.chunk_tokens, spec.chunk_overlap
    _require(spec.chunk_pool is None or spec.chunk_pool in CHUNK_POOLS, "--chunk-pool", spec.chunk_pool, CHUNK_POOLS)
    if chunk is None:
        if overlap or spec.chunk_pool:
            option = "--chunk-overlap" if overlap else "--chunk-pool"
            raise UsageError(f"{option} needs --chunk-tokens, the tokens of a chunk")
        return
    if spec.max_tokens not in (None, chunk):
        raise UsageError("--max-tokens and --chunk-tokens exclude each other: leave one out")
    if chunk < LEAST_TOKENS:
        raise UsageError(f"--chunk-tokens {chunk}: at least {LEAST_TOKENS} (two of them are [CLS] and [SEP])")
    if not 0 <= overlap < chunk - 2:
        raise UsageError(
            f"--chunk-overlap {overlap}: 0 to {chunk - 3}, since {chunk - 2} tokens of a chunk of {chunk} are the "
            "document's own"
        )


def _require(holds: bool, option: str, value: object, allowed: tuple[str, ...]) -> None:
    if not holds:
        raise UsageError(f"{option} {value}: one of {', '.join(allowed)}")
