"""What a job would mean, from its plan, a sample of its texts and a short probe of the encoder on this machine."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.encoder.stats import EncodeStats
from pipelines.encoder.tokens import Chunks
from pipelines.job.sampling import Sample
from pipelines.output.quantized import vector_bytes

if TYPE_CHECKING:  # a sample is taken without TensorFlow
    from pipelines.encoder.text_encoder import TextEncoder

SHORTEST_BAR = 8
PROBE_SECONDS = 10.0
PROBE_ROWS = 250


@dataclass(frozen=True)
class Bar:
    """The share of the sampled rows, 0 to 1, whose tokens after truncation are from `least` to `most`."""

    least: int
    most: int
    share: float


@dataclass(frozen=True)
class Estimate:
    """sampled: rows tokenised. chunks: mean a row; None where rows are not cut into chunks. tokens: mean a row, after
    truncation or in all of its chunks. truncated: share of the rows, 0 to 1. percentiles: tokens of the 50th, 90th and
    99th percentile row or chunk. lengths: of all of them, in bars that double. padding: share of the encoded positions,
    0 to 1. probed, probed_seconds: rows or chunks that one worker like this process tokenised and encoded, and how long
    it took; 0 where the rate was told. rows_per_second: of one worker. bytes_per_row: of the vectors in a shard."""

    sampled: int
    chunks: float | None
    tokens: float
    truncated: float
    percentiles: tuple[int, int, int]
    lengths: tuple[Bar, ...]
    padding: float
    probed: int
    probed_seconds: float
    rows_per_second: float
    bytes_per_row: float


def estimate(
    samples: Sequence[Sample], encoder: "TextEncoder", tokens_per_second: float | None = None
) -> Estimate | None:
    """Tokenises a sample and encodes as much of it as some seconds allow; None for a corpus without texts.

    tokens_per_second: of one worker, where that is known already: then nothing is encoded.
    """
    texts = list(_in_turn(samples))
    if not texts:
        return None
    tokens = encoder.tokenize_documents(texts)
    lengths = tokens.lengths[tokens.row]
    chunked = tokens if isinstance(tokens, Chunks) else None
    chunks_per_row = len(lengths) / len(texts)
    tokens_per_row = float(lengths.sum()) / len(texts)
    if tokens_per_second is None:
        stats, seconds = _probe(list(chunked.places.parts(texts)) if chunked else texts, encoder)
        rows_per_second = stats.texts / seconds / chunks_per_row
    else:
        stats, seconds, rows_per_second = EncodeStats(), 0.0, tokens_per_second / tokens_per_row
    vectors_per_row = 1 if chunked is None or chunked.pooled else chunks_per_row
    if encoder.resolved.pooling == "sequence":
        vectors_per_row *= float(lengths.mean())
    width = vector_bytes(encoder.dimension, encoder.resolved.spec.dtype)
    half, most, nearly_all = (int(number) for number in np.percentile(lengths, (50, 90, 99)))
    return Estimate(
        sampled=len(texts),
        chunks=chunks_per_row if chunked else None,
        tokens=tokens_per_row,
        truncated=float(tokens.truncated[tokens.row].mean()),
        percentiles=(half, most, nearly_all),
        lengths=tuple(bars(lengths)),
        padding=stats.padding,
        probed=stats.texts,
        probed_seconds=seconds,
        rows_per_second=rows_per_second,
        bytes_per_row=width * vectors_per_row,
    )


def bars(lengths: np.ndarray) -> Iterator[Bar]:
    """The shares of rows of 1 to 8 tokens, 9 to 16, 17 to 32, ..., up to the longest. lengths: int [n], n > 0."""
    least, most = 1, SHORTEST_BAR
    while least <= lengths.max():
        yield Bar(least, most, float(((lengths >= least) & (lengths <= most)).mean()))
        least, most = most + 1, 2 * most


def _in_turn(samples: Sequence[Sample]) -> Iterator[str]:
    """Their texts, one of each in turn."""
    for texts in itertools.zip_longest(*(sample.texts for sample in samples)):
        yield from (text for text in texts if text is not None)


def _probe(texts: list[str], encoder: "TextEncoder") -> tuple[EncodeStats, float]:
    """Tokenises and encodes parts of the texts, after a first one to warm up, until the time is over; the seconds."""
    encoder.encode(texts[:PROBE_ROWS])
    total = EncodeStats()
    started = time.monotonic()
    for start in itertools.cycle(range(0, len(texts), PROBE_ROWS)):
        total += encoder.encode_tokens(encoder.tokenize(texts[start : start + PROBE_ROWS])).stats
        if time.monotonic() - started > PROBE_SECONDS:
            break
    return total, time.monotonic() - started
