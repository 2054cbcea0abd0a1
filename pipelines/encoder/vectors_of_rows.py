"""The vectors of texts, chunks or documents from those of their distinct rows. Imports no TensorFlow."""

import numpy as np

from pipelines.encoder.chunk_mean import mean_of_chunks
from pipelines.encoder.spec import ResolvedSpec
from pipelines.encoder.tokens import Chunks, Tokens


def dtype_of_rows(tokens: Tokens, resolved: ResolvedSpec) -> str:
    """In what the vectors of the distinct rows are kept: means are taken in float32, whatever comes out."""
    return "float32" if isinstance(tokens, Chunks) and tokens.pooled else resolved.spec.encoded_dtype


def vectors_of_texts(
    rows: np.ndarray | list[np.ndarray], tokens: Tokens, resolved: ResolvedSpec
) -> np.ndarray | list[np.ndarray]:
    """The vectors of n texts, chunks, or documents whose chunks are pooled: [n, dim], or for `sequence` n arrays
    [tokens, dim], in the spec's `encoded_dtype`.

    rows: those of the u distinct rows, in the dtype of `dtype_of_rows`.
    """
    if isinstance(rows, list):
        return [rows[row] for row in tokens.row]
    vectors = rows[tokens.row]
    if isinstance(tokens, Chunks) and tokens.pooled:
        return mean_of_chunks(vectors, tokens, resolved.normalize).astype(resolved.spec.encoded_dtype)
    return vectors
