"""What a checkpoint holds once it is read, whatever format it came in."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.errors import UsageError
from pipelines.packager.architecture import Architecture


@dataclass(frozen=True)
class Checkpoint:
    """An encoder's architecture, weights and vocabulary, and how its source says it is to be used.

    weights: float32 arrays under the names and with the shapes of `weight_shapes`.
    pooling ("cls", "mean", "max"), normalize, max_tokens: None where the source recommends nothing.
    source: the format, in words. notes: what the user has to know, one sentence each.
    """

    architecture: Architecture
    weights: dict[str, np.ndarray]
    vocab_file: Path
    do_lower_case: bool
    source: str
    pooling: str | None = None
    normalize: bool | None = None
    max_tokens: int | None = None
    notes: tuple[str, ...] = ()


NO_POOLER = "The checkpoint has no pooler: pooled_output is the tanh of the first token's vector."


def find_vocabulary(folder: Path, architecture: Architecture) -> Path:
    """The folder's vocab.txt, one token a line; UsageError when it is missing or does not fit the embeddings."""
    path = folder / "vocab.txt"
    if not path.is_file():
        raise UsageError(
            f"{folder} has no vocab.txt: put the WordPiece vocabulary, one token a line, beside the weights"
        )
    try:
        tokens = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as UTF-8 text: {error}") from error
    if tokens[-1] == "":
        tokens.pop()
    if len(tokens) > architecture.vocabulary:
        raise UsageError(
            f"{path} has {len(tokens)} tokens but the embedding table only {architecture.vocabulary} rows:"
            " it is the vocabulary of another model"
        )
    return path


def identity_pooler(width: int) -> dict[str, np.ndarray]:
    """The pooler of an encoder that was trained without one: tanh of the first token's vector, unchanged.

    As in https://tfhub.dev/google/electra_large/2.
    """
    return {
        "pooler_transform/kernel": np.eye(width, dtype=np.float32),
        "pooler_transform/bias": np.zeros(width, np.float32),
    }
