"""What a job would mean, from its plan, a sample of its texts and a short probe of the encoder on this machine."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.corpus.plan import Columns, Plan
from pipelines.corpus.readers import read_slice, stream_slices
from pipelines.encoder.stats import EncodeStats
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.storage import Storage

SAMPLED_FILES = 8
SAMPLED_ROWS = 2000
PROBE_SECONDS = 10.0
PROBE_ROWS = 250


@dataclass(frozen=True)
class Estimate:
    """sampled: rows tokenised. tokens: mean a row after truncation. truncated: share of the rows, 0 to 1.
    longest: tokens of the 50th, 90th and 99th percentile row. rows_per_second: of one worker like this process.
    bytes_per_row: of the vectors in a shard."""

    sampled: int
    tokens: float
    truncated: float
    percentiles: tuple[int, int, int]
    padding: float
    rows_per_second: float
    bytes_per_row: float


def estimate(plan: Plan, columns: Columns, storage: Storage, encoder: TextEncoder) -> Estimate | None:
    """Tokenises a sample and encodes as much of it as some seconds allow; None for a corpus without texts."""
    texts = list(itertools.islice(sample_texts(plan, columns, storage), SAMPLED_ROWS))
    if not texts:
        return None
    tokens = encoder.tokenize(texts)
    lengths = tokens.lengths[tokens.row]
    stats = _probe(texts, encoder)
    width = encoder.dimension * np.dtype(encoder.resolved.spec.dtype).itemsize
    half, most, nearly_all = (int(number) for number in np.percentile(lengths, (50, 90, 99)))
    return Estimate(
        sampled=len(texts),
        tokens=float(lengths.mean()),
        truncated=float(tokens.truncated[tokens.row].mean()),
        percentiles=(half, most, nearly_all),
        padding=stats.padding,
        rows_per_second=stats.texts / stats.seconds,
        bytes_per_row=width * (float(lengths.mean()) if encoder.resolved.pooling == "sequence" else 1),
    )


def sample_texts(plan: Plan, columns: Columns, storage: Storage) -> Iterator[str]:
    """Texts from a few files spread over the corpus, one unit each, in turn."""
    step = max(1, len(plan.files) // SAMPLED_FILES)
    tables = []
    for file in plan.files[::step][:SAMPLED_FILES]:
        if file.streamed:
            rows = next(stream_slices(plan, file, columns, storage, stripe=0, stripes=1, done=()))
        else:
            units = list(plan.units_of(file))
            rows = read_slice(plan, units[len(units) // 2], columns, storage)
        tables.append(rows.table["text"].to_pylist())
    for texts in itertools.zip_longest(*tables):
        yield from (text for text in texts if text is not None)


def _probe(texts: list[str], encoder: TextEncoder) -> EncodeStats:
    """Encodes parts of the texts, after a first one to warm up, until the time is over."""
    encoder.encode(texts[:PROBE_ROWS])
    total = EncodeStats()
    started = time.monotonic()
    for start in itertools.cycle(range(0, len(texts), PROBE_ROWS)):
        total += encoder.encode_tokens(encoder.tokenize(texts[start : start + PROBE_ROWS])).stats
        if time.monotonic() - started > PROBE_SECONDS:
            return total
    return total
