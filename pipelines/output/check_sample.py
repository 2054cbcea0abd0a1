"""Checks of a random sample of rows: each is read from the corpus again, embedded again, and has its vector still."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.corpus.changes import change_of
from pipelines.corpus.plan_types import Unit
from pipelines.errors import EncorpusError
from pipelines.output.chunk_columns import CHUNK_COLUMNS, places_of
from pipelines.output.input_rows import embedded_part, input_rows
from pipelines.output.layout import Output
from pipelines.output.planned import Planned
from pipelines.output.quantized import STORED, stored_width
from pipelines.output.rejects import rejects_of
from pipelines.output.shard import read_columns, read_info
from pipelines.output.vectors import Vectors, numbers_of_rows, vector_norms, vector_type, vectors_of
from pipelines.output.violation import AGAIN, Violation

# Rows that are taken together from one unit, so that few slices of the corpus are read for them.
ROWS_OF_A_UNIT = 16

# How far a vector may be from the one that its text gives now, as a share of its length: by computing it again, in
# another batch, runtime or machine, in this precision …
ALLOWED_BY_PRECISION = {"float32": 1e-4, "bfloat16": 3e-2, "float16": 2e-3}
# … and by what is lost where it is stored in this dtype, beyond half a step of an int8 number.
ALLOWED_BY_DTYPE = {"float32": 0.0, "float16": 1e-3, "int8": 1e-6, "binary": 0.0}


# Texts of documents in, the vectors of their rows out; where rows are chunks, of those alone whose documents (from 0)
# and numbers are named.
Encode = Callable[[Sequence[str], tuple[np.ndarray, np.ndarray] | None], Vectors]


@dataclass(frozen=True)
class Sampling:
    """encode: gives the vectors of documents, as the output's own encoder does, whose fingerprint it is. rows: how many
    to look at, about. seed: the same seed chooses the same rows of an output."""

    encode: Encode
    fingerprint: str
    rows: int
    seed: int


@dataclass(frozen=True)
class SampleReport:
    """embedded: rows that were embedded again and compared."""

    embedded: int
    violations: tuple[Violation, ...]


def choose_rows(units: Sequence[Unit], rows: Sequence[int], wanted: int, seed: int) -> dict[Unit, np.ndarray]:
    """Numbers of rows, ascending, by unit: all rows where no more are wanted, else some of units drawn by their size.

    units: in order; rows: how many each has.
    """
    sizes = np.array(rows, np.int64)
    if sizes.sum() <= wanted:
        return {unit: np.arange(size) for unit, size in zip(units, sizes, strict=True) if size}
    random = np.random.default_rng(seed)
    draws = -(-wanted // ROWS_OF_A_UNIT)
    drawn, times = np.unique(random.choice(len(units), draws, p=sizes / sizes.sum()), return_counts=True)
    due = np.minimum(np.minimum(times * ROWS_OF_A_UNIT, wanted), sizes[drawn])
    return {
        units[place]: np.sort(random.choice(sizes[place], some, replace=False))
        for place, some in zip(drawn, due, strict=True)
    }


def check_sample(
    planned: Planned,
    output: Output,
    chosen: Mapping[Unit, np.ndarray],
    encode: Encode,
    on_progress: Callable[[int, int], None],
) -> SampleReport:
    """Compares the chosen rows with the corpus, and with the vectors of its texts.

    on_progress: called with how many of the chosen units are done, and how many there are.
    """
    rejected = output.rejected()
    by_file: defaultdict[int, list[Unit]] = defaultdict(list)
    for unit in chosen:
        by_file[unit.file].append(unit)
    reports: list[SampleReport] = []
    violations: list[Violation] = []
    for number, units in by_file.items():
        file, left = planned.plan.files[number], dict.fromkeys(units)
        try:
            if change := change_of(file, output.storage):
                violations.append(Violation(file.uri, f"{change} since the plan was made; its rows cannot be compared"))
                continue
            for rows in input_rows(planned, file, units, output.storage):
                del left[rows.unit]
                due = embedded_part(rows, rejects_of(output, rows.unit, there=rows.unit in rejected))
                reports.append(_check_unit(planned, output, rows.unit, due, chosen[rows.unit], encode))
                violations += reports[-1].violations
                on_progress(len(reports), len(chosen))
            violations += [Violation(f"{unit.name}.parquet", f"{file.uri} has no such slice") for unit in left]
        except EncorpusError as error:
            violations.append(Violation(file.uri, str(error)))
    return SampleReport(sum(report.embedded for report in reports), tuple(violations))


def _check_unit(
    planned: Planned,
    output: Output,
    unit: Unit,
    due: pa.Table,
    rows: np.ndarray,
    encode: Encode,
) -> SampleReport:
    shard = f"{unit.name}.parquet"
    names = ["id", "embedding", *(CHUNK_COLUMNS if planned.chunked else ())]
    found = read_columns(output.storage, output.shard_uri(unit), names)
    scale = read_info(output.storage, output.shard_uri(unit)).scale
    chunks = places_of(found) if planned.chunked else None
    document_of_row = np.arange(found.num_rows) if chunks is None else chunks.document
    if told := _other_rows(found, due, rows, document_of_row, "rows" if chunks is None else "documents"):
        return SampleReport(0, (Violation(shard, told),))
    documents, document = np.unique(document_of_row[rows], return_inverse=True)
    texts = due["text"].take(pa.array(documents)).to_pylist()
    encoder = planned.job.encoder
    allowed = ALLOWED_BY_PRECISION[encoder["precision"]] + ALLOWED_BY_DTYPE[encoder["dtype"]]
    vectors = encode(texts, None if chunks is None else (document, chunks.number[rows]))
    distances = _distances(found["embedding"].take(pa.array(rows)), vectors, scale)
    wrong = np.flatnonzero(~(distances <= allowed))
    if not wrong.size:
        return SampleReport(len(rows), ())
    worst = wrong[np.argmax(distances[wrong])]
    told = (
        f"{wrong.size} of {len(rows)} sampled rows have other vectors than their texts: that of row {rows[worst]} "
        f"is off by {distances[worst]:.2g} of its length, where {allowed:.2g} may be; delete the shard and {AGAIN}"
    )
    return SampleReport(len(rows), (Violation(shard, told),))


def _other_rows(found: pa.Table, due: pa.Table, rows: np.ndarray, document: np.ndarray, what: str) -> str | None:
    """What shows that the chosen rows of a shard are not the input's. document: of each row of the shard."""
    held = int(document[-1]) + 1 if document.size else 0
    if held != due.num_rows:
        return f"holds {held} {what}, where the input gives {due.num_rows}"
    ids = found["id"].take(pa.array(rows)).to_pylist()
    due_ids = due["id"].take(pa.array(document[rows])).to_pylist()
    for row, one, other in zip(rows, ids, due_ids, strict=True):
        if one != other:
            return f"its id in row {row} is not the input's: {one!r}, where {other!r} is due"
    return None


def _distances(found: pa.ChunkedArray, due: Vectors, scale: float) -> np.ndarray:
    """How far each row's stored vector is from the due one at their farthest number, as a share of its length,
    float64 [n].

    Where rows have several vectors, it is that of the worst; infinite where there are more or fewer than due.
    """
    counts = numbers_of_rows(found) // vector_type(found.type).list_size
    parts = np.split(vectors_of(found), np.cumsum(counts)[:-1])
    return np.array([_distance(one, np.atleast_2d(other), scale) for one, other in zip(parts, due, strict=True)])


def _distance(found: np.ndarray, due: np.ndarray, scale: float) -> float:
    dimension = due.shape[1]
    width = stored_width(dimension, "binary") if found.dtype == STORED["binary"] else dimension
    if found.shape != (len(due), width):
        return np.inf
    farthest = _off(found, due.astype(np.float32), scale).max(axis=1, initial=0)
    return float((farthest / np.maximum(vector_norms(due), np.finfo(np.float32).tiny)).max(initial=0))


def _off(found: np.ndarray, due: np.ndarray, scale: float) -> np.ndarray:
    """By how much the numbers of stored vectors are off, [n, dim]: for a bit, how far the due number is from 0."""
    if found.dtype == STORED["binary"]:
        ones = np.unpackbits(found, axis=1, count=due.shape[1]).astype(bool)
        return np.where(ones == (due > 0), 0, np.abs(due))
    off = np.abs(found.astype(np.float32) * np.float32(scale) - due)
    return np.maximum(off - scale / 2, 0) if found.dtype == STORED["int8"] else off
