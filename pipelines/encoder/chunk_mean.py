"""One vector a document, from those of its chunks."""

import numpy as np

from pipelines.encoder.tokens import Chunks


def mean_of_chunks(vectors: np.ndarray, chunks: Chunks, normalize: bool) -> np.ndarray:
    """The mean of each document's chunk vectors, weighted by the chunks' own tokens: float64 [n, dim].

    vectors: [c, dim]. normalize: whether the means become vectors of length 1; one of length 0 stays so.
    """
    # A document without tokens is one chunk without weight.
    weights = np.maximum(chunks.own, 1).astype(np.float64)
    means = np.empty((len(chunks.document_tokens), vectors.shape[1]))
    for document, (start, stop) in enumerate(chunks.places.ranges):
        means[document] = weights[start:stop] @ vectors[start:stop] / weights[start:stop].sum()
    if normalize:
        norms = np.linalg.norm(means, axis=1, keepdims=True)
        means = np.divide(means, norms, out=np.zeros_like(means), where=norms > 0)
    return means
