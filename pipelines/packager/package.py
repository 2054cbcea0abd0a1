"""Packages a checkpoint: reads it in whatever format it has, and writes the SavedModels of encoder and preprocessor."""

from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.packager.checkpoint import Checkpoint
from pipelines.packager.electra_checkpoint import find_electra, read_electra
from pipelines.packager.hugging_face import read_hugging_face
from pipelines.packager.saved_models import write_saved_models
from pipelines.packager.sentence_transformers import MODULES_FILE, read_sentence_transformers


@dataclass(frozen=True)
class PackageReport:
    """What was packaged. pooling, normalize, max_tokens: None where the source recommends nothing.

    parameters: number of trainable weights. notes: what the user has to know, one sentence each.
    """

    output: str
    architecture: str
    layers: int
    width: int
    heads: int
    vocabulary: int
    max_positions: int
    parameters: int
    do_lower_case: bool
    pooling: str | None
    normalize: bool | None
    max_tokens: int | None
    notes: tuple[str, ...]


def package(checkpoint: str, output: str) -> PackageReport:
    """Writes the checkpoint as a SavedModel in the TF-Hub encoder format to the folder `output`.

    `checkpoint` is a Hugging Face or sentence-transformers folder of BERT or ELECTRA, or a TensorFlow 1
    checkpoint of google-research/electra (its folder or its prefix). `output` appears whole or not at all, with
    the companion preprocessor in `output`/preprocess and the source's recommendations in
    `output`/encorpus.json. Raises UsageError for a checkpoint that cannot be packaged and for an `output`
    that is there already and not an empty folder; StorageError when `output` cannot be written.
    """
    if "://" in output:
        raise UsageError(f"{output}: packaging writes to a local folder; copy that to where it is to be served from")
    target = Path(output)
    _require_free(target)
    read = read_checkpoint(Path(checkpoint))
    write_saved_models(read, target)
    architecture = read.architecture
    return PackageReport(
        output=output,
        architecture=architecture.family,
        layers=architecture.layers,
        width=architecture.width,
        heads=architecture.heads,
        vocabulary=architecture.vocabulary,
        max_positions=architecture.positions,
        parameters=sum(weight.size for weight in read.weights.values()),
        do_lower_case=read.do_lower_case,
        pooling=read.pooling,
        normalize=read.normalize,
        max_tokens=read.max_tokens,
        notes=read.notes,
    )


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint, told by what lies in its folder. UsageError when it is none that can be packaged."""
    if (path / MODULES_FILE).is_file():
        return read_sentence_transformers(path)
    if not any(path.glob("*.safetensors")) and (prefix := find_electra(path)):
        return read_electra(prefix)
    if not path.is_dir():
        raise UsageError(f"{path}: no such checkpoint; give a folder, or the prefix of a TensorFlow checkpoint")
    return read_hugging_face(path)


def _require_free(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} is there already: choose another folder, or delete it first")
