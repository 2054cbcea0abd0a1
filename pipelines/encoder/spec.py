"""The encoder spec: everything that decides a vector, and the fingerprint that names it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.encoder.resolve import resolve_model
from pipelines.errors import ModelError, UsageError

POOLINGS = ("pooled", "cls", "mean", "max", "sequence")
DTYPES = ("float32", "float16")
PRECISIONS = ("float32", "bfloat16", "float16")

# The published preprocessors pack 128 tokens, so this is what the published snippet's vectors see.
DEFAULT_MAX_TOKENS = 128

RECOMMENDATION_FILE = "encorpus.json"


@dataclass(frozen=True)
class EncoderSpec:
    """What the user asks for. `None` means: what the model recommends, else the encoder API's default.

    model, preprocessor: handles (a local folder, a `.tar.gz`, an `https://` handle, a folder at an fsspec URI).
    layers: indexes into `encoder_outputs` whose mean replaces `sequence_output`; negative ones count from the end.
    dtype: of the vectors that come out. precision: of the matrix products inside.
    """

    model: str
    preprocessor: str | None = None
    pooling: str | None = None
    layers: tuple[int, ...] = ()
    normalize: bool | None = None
    max_tokens: int | None = None
    dtype: str = "float32"
    precision: str = "float32"

    def __post_init__(self) -> None:
        _require(self.pooling is None or self.pooling in POOLINGS, "--pooling", self.pooling, POOLINGS)
        _require(self.dtype in DTYPES, "--dtype", self.dtype, DTYPES)
        _require(self.precision in PRECISIONS, "--precision", self.precision, PRECISIONS)
        if self.max_tokens is not None and self.max_tokens < 3:
            raise UsageError(f"--max-tokens {self.max_tokens}: at least 3 (two of them are [CLS] and [SEP])")
        if self.layers and self.pooling == "pooled":
            raise UsageError("--layers and --pooling pooled exclude each other: choose cls, mean, max or sequence")


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


def resolve_spec(spec: EncoderSpec, storage_options: Mapping[str, str] | None = None) -> ResolvedSpec:
    """Fetches the SavedModels and settles what the spec leaves open; imports no TensorFlow.

    Raises ModelError when a handle leads to no SavedModel.
    """
    model_folder = resolve_model(spec.model, storage_options)
    advice = recommendation(model_folder)
    preprocessor_folder = _preprocessor_folder(spec, model_folder, advice, storage_options)
    pooling = spec.pooling or str(advice.get("pooling") or ("mean" if spec.layers else "pooled"))
    if spec.layers and pooling == "pooled":
        raise UsageError("--layers needs --pooling cls, mean, max or sequence: this model recommends pooled")
    if spec.normalize and pooling == "sequence":
        raise UsageError("--normalize and --pooling sequence exclude each other: leave one out")
    normalize = _settle_normalize(spec.normalize, pooling, advice)
    max_tokens = spec.max_tokens or _advised_max_tokens(advice)
    hashed = {
        "model": folder_digest(model_folder),
        "preprocessor": folder_digest(preprocessor_folder) if preprocessor_folder else None,
        **_deciding_options(spec, pooling, normalize, max_tokens),
    }
    fingerprint = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    return ResolvedSpec(spec, pooling, normalize, max_tokens, model_folder, preprocessor_folder, fingerprint)


def recommendation(model_folder: Path) -> dict[str, object]:
    """What `encorpus.json` beside the model's assets says; empty where there is none.

    Raises ModelError when the file is there and is not a JSON object.
    """
    path = model_folder / RECOMMENDATION_FILE
    if not path.is_file():
        return {}
    try:
        advice = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as JSON ({error}); mend or remove it") from None
    if not isinstance(advice, dict) or advice.get("pooling") not in (None, *POOLINGS):
        raise ModelError(f"{path}: not a recommendation of encorpus (pooling is one of {', '.join(POOLINGS)})")
    return advice


def folder_digest(folder: Path) -> str:
    """SHA-256 over what decides a SavedModel's results: its graph, variables and assets (paths and bytes)."""
    digest = hashlib.sha256()
    inside = [
        folder / "saved_model.pb",
        *sorted((folder / "variables").rglob("*")),
        *sorted((folder / "assets").rglob("*")),
    ]
    for path in inside:
        if not path.is_file():
            continue
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + str(path.stat().st_size).encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def _deciding_options(spec: EncoderSpec, pooling: str, normalize: bool, max_tokens: int) -> dict[str, object]:
    return {
        "pooling": pooling,
        "layers": list(spec.layers),
        "normalize": normalize,
        "max_tokens": max_tokens,
        "dtype": spec.dtype,
        "precision": spec.precision,
    }


def _preprocessor_folder(
    spec: EncoderSpec, model_folder: Path, advice: dict[str, object], storage_options: Mapping[str, str] | None
) -> Path | None:
    if spec.preprocessor:
        return resolve_model(spec.preprocessor, storage_options)
    companion = advice.get("preprocessor")
    if not companion:
        return None
    folder = model_folder / str(companion)
    if not (folder / "saved_model.pb").is_file():
        raise ModelError(
            f"{model_folder / RECOMMENDATION_FILE} names the preprocessor {companion!r}, which is not there"
        )
    return folder


def _settle_normalize(asked: bool | None, pooling: str, advice: dict[str, object]) -> bool:
    if asked is not None:
        return asked
    return bool(advice.get("normalize", False)) and pooling != "sequence"


def _advised_max_tokens(advice: dict[str, object]) -> int:
    advised = advice.get("max_tokens")
    return advised if isinstance(advised, int) and advised >= 3 else DEFAULT_MAX_TOKENS


def _require(holds: bool, option: str, value: object, allowed: tuple[str, ...]) -> None:
    if not holds:
        raise UsageError(f"{option} {value}: one of {', '.join(allowed)}")
