"""Whether a runtime gives the vectors that TensorFlow gives in float32, tried on a few texts before it is trusted."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.encoder.tokens import Tokens

# How far a vector may be from TensorFlow's in float32, as a share of its length or of 1, when it is computed in this
# precision.
TOLERANCE = {"float32": 1e-4, "float16": 1e-3, "bfloat16": 2e-2}

TEXTS = (
    "",
    "file",
    "What does the archive hold?",
    "It rained on Monday, 14 March 2011; the market closed at 3.50 and nobody came to the old house by the river.",
    "The first reader found the book too long, the second too short, and the third, who had not read it, "
    "praised its style, its humour and its 1,024 pages in a letter to the editor (unpublished). " * 40,
)

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SelfCheck:
    """Batches, and what TensorFlow gives for each in float32: [b, dim], or [b, L, dim] for `sequence`."""

    batches: tuple[Batch, ...]
    due: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, reference: Callable[..., object], batches: Sequence[Batch]) -> "SelfCheck":
        """reference: gives the vectors of a batch."""
        return cls(tuple(batches), tuple(np.asarray(reference(*batch)) for batch in batches))

    def worst_distance(self, runtime: Callable[..., np.ndarray]) -> float:
        """How far the runtime's worst vector is from the one that is due, as a share of its length or of 1; infinite
        where one is no number, or no vector of that shape."""
        return max(self._distances(runtime), default=0.0)

    def save(self, path: Path) -> None:
        """Writes it to a file."""
        arrays = {f"batch{place}": np.stack(batch) for place, batch in enumerate(self.batches)}
        arrays |= {f"due{place}": vectors for place, vectors in enumerate(self.due)}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "SelfCheck":
        """What `save` has written."""
        with np.load(path, allow_pickle=False) as arrays:
            places = range(len(arrays.files) // 2)
            batches = [arrays[f"batch{place}"] for place in places]
            due = tuple(arrays[f"due{place}"] for place in places)
            return cls(tuple((word_ids, mask, type_ids) for word_ids, mask, type_ids in batches), due)

    def _distances(self, runtime: Callable[..., np.ndarray]) -> Iterator[float]:
        for batch, due in zip(self.batches, self.due, strict=True):
            got = runtime(*batch, full=True)
            if got.shape != due.shape:
                yield np.inf
                continue
            if due.ndim == 3:  # a vector a token; nobody sees those of padding
                due, got = due[batch[1] > 0], got[batch[1] > 0]
            far = np.linalg.norm(got - due, axis=-1) / np.maximum(1.0, np.linalg.norm(due, axis=-1))
            worst = float(far.max(initial=0.0))
            yield worst if np.isfinite(worst) else np.inf


def sample_batches(tokens: Tokens, fixed_length: int | None) -> list[Batch]:
    """Batches of the tokens of TEXTS: int32 [b, L] each; of one row without padding, of the longest, and of several
    that are padded."""
    order = np.argsort(tokens.lengths, kind="stable")
    groups = [order[1:2], order[:-1], order[-1:]]
    return [_batch(tokens, rows, fixed_length) for rows in groups if len(rows)]


def _batch(tokens: Tokens, rows: np.ndarray, fixed_length: int | None) -> Batch:
    length = fixed_length or int(tokens.lengths[rows].max())
    parts = (array[rows, :length] for array in (tokens.word_ids, tokens.mask, tokens.type_ids))
    word_ids, mask, type_ids = (np.pad(part, ((0, 0), (0, length - part.shape[1]))) for part in parts)
    return word_ids, mask, type_ids
