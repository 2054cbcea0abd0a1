"""What a job would mean, from its plan, a sample of its texts and a short probe of the encoder on this machine."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.corpus.plan import Columns, Plan
from pipelines.corpus.readers import read_slice, stream_slices
from pipelines.corpus.rows import UnitRows
from pipelines.encoder.stats import EncodeStats
from pipelines.output.quantized import vector_bytes
from pipelines.storage import Storage

if TYPE_CHECKING:  # a sample is taken without TensorFlow
    from pipelines.encoder.text_encoder import TextEncoder

SAMPLED_FILES = 8
SAMPLED_ROWS = 2000
PROBE_SECONDS = 10.0
PROBE_ROWS = 250


@dataclass(frozen=True)
class Estimate:
    """sampled: rows tokenised. tokens: mean a row after truncation. truncated: share of the rows, 0 to 1.
    percentiles: tokens of the 50th, 90th and 99th percentile row. padding: share of the encoded positions, 0 to 1.
    rows_per_second: of one worker like this process. bytes_per_row: of the vectors in a shard."""

    sampled: int
    tokens: float
    truncated: float
    percentiles: tuple[int, int, int]
    padding: float
    rows_per_second: float
    bytes_per_row: float


def estimate(sampled: Sequence[UnitRows], encoder: "TextEncoder") -> Estimate | None:
    """Tokenises a sample and encodes as much of it as some seconds allow; None for a corpus without texts."""
    texts = list(itertools.islice(_in_turn(sampled), SAMPLED_ROWS))
    if not texts:
        return None
    tokens = encoder.tokenize(texts)
    lengths = tokens.lengths[tokens.row]
    stats = _probe(texts, encoder)
    width = vector_bytes(encoder.dimension, encoder.resolved.spec.dtype)
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


def sample(plan: Plan, columns: Columns, storage: Storage) -> list[UnitRows]:
    """A unit from the middle of each of a few files spread over the corpus."""
    step = max(1, len(plan.files) // SAMPLED_FILES)
    sampled: list[UnitRows] = []
    for file in plan.files[::step][:SAMPLED_FILES]:
        if file.streamed:
            sampled.append(next(stream_slices(plan, file, columns, storage, stripe=0, stripes=1, done=())))
        else:
            units = list(plan.units_of(file))
            sampled.append(read_slice(plan, units[len(units) // 2], columns, storage))
    return sampled


def estimated_rows(plan: Plan, sampled: Sequence[UnitRows]) -> int:
    """Rows of the files that are not streamed; where only reading would tell, by the sample's mean bytes a row."""
    unknown = {file.number: file.size for file in plan.files if file.rows is None and file.bounds is not None}
    by_bytes = [part for part in sampled if part.unit.file in unknown]
    read = sum(part.table.num_rows + part.rejects.num_rows for part in by_bytes)
    size = sum(part.stop - part.start for part in by_bytes)
    return sum(file.rows or 0 for file in plan.files) + (round(sum(unknown.values()) * read / size) if size else 0)


def _in_turn(sampled: Sequence[UnitRows]) -> Iterator[str]:
    """Their texts, one of each in turn."""
    for texts in itertools.zip_longest(*(part.table["text"].to_pylist() for part in sampled)):
        yield from (text for text in texts if text is not None)


def _probe(texts: list[str], encoder: "TextEncoder") -> EncodeStats:
    """Encodes parts of the texts, after a first one to warm up, until the time is over."""
    encoder.encode(texts[:PROBE_ROWS])
    total = EncodeStats()
    started = time.monotonic()
    for start in itertools.cycle(range(0, len(texts), PROBE_ROWS)):
        total += encoder.encode_tokens(encoder.tokenize(texts[start : start + PROBE_ROWS])).stats
        if time.monotonic() - started > PROBE_SECONDS:
            return total
    return total
