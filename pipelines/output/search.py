"""Exact nearest neighbours: a query is compared with every vector of an output, shard by shard."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan_types import Unit
from pipelines.errors import EncorpusError, StorageError, UsageError
from pipelines.output.chunk_columns import CHUNK_COLUMNS, chunk_texts, places_of
from pipelines.output.input_rows import input_rows
from pipelines.output.layout import Output
from pipelines.output.manifest import load_manifest
from pipelines.output.planned import Planned, load_planned, refuse_other_encoder, units_of_plan
from pipelines.output.scores import scores
from pipelines.output.shard import read_columns, vector_batches
from pipelines.pool_map import pool_map

# Each has a shard in memory.
SHARDS_AT_ONCE = 4


@dataclass(frozen=True)
class Hit:
    """A row near the query. score: cosine, -1 to 1; for binary vectors, of their signs. text: of the row, or of the
    chunk that it is; None where it is not kept and its input is gone. chunk: its number in the document, None where
    rows are documents."""

    score: float
    id: str | int
    text: str | None
    chunk: int | None
    shard: str


class _Place(NamedTuple):
    """A row's score and place. Sorted, the best comes first, and of equals the one that the corpus has first."""

    minus_score: float
    file: int
    slice: int
    row: int


def search(output: Output, query: np.ndarray, fingerprint: str, top: int) -> list[Hit]:
    """The `top` rows that are nearest to the query, float32 [dim], best first.

    The rows are those of the shards that the manifest lists, be it of before a run that is under way; before there is
    one, those of all committed shards of the plan.

    fingerprint: of the encoder that made the query, which must be the output's.

    Raises UsageError when there is no output of encorpus, it holds a vector a token, or its encoder is another;
    StorageError when a shard cannot be read.
    """
    planned = load_planned(output)
    refuse_sequence(planned, output)
    refuse_other_encoder(planned, output, fingerprint)
    wanted = np.asarray(query, np.float32)
    units = _searched(planned, output)
    best: list[_Place] = []
    for places in pool_map(lambda unit: _best_of_shard(output, unit, wanted, top), units, SHARDS_AT_ONCE):
        best = heapq.nsmallest(top, [*best, *places])
    return list(_hits(planned, output, best))


def top_rows(scores: np.ndarray, top: int) -> np.ndarray:
    """The indexes of the `top` largest scores, largest first; of equal scores the lower index is the better."""
    if len(scores) > top:
        least = np.partition(scores, len(scores) - top)[len(scores) - top]
        rows = np.flatnonzero(scores >= least)
    else:
        rows = np.arange(len(scores))
    return rows[np.argsort(-scores[rows], kind="stable")][:top]


def refuse_sequence(planned: Planned, output: Output) -> None:
    """Raises UsageError where the output holds a vector a token."""
    if planned.sequence:
        raise UsageError(f"{output.uri}: holds a vector a token (pooling sequence), which search cannot rank")


def _searched(planned: Planned, output: Output) -> list[Unit]:
    """The units whose rows the output has for its readers."""
    manifest, committed = load_manifest(output), output.committed()
    if manifest is None:
        return units_of_plan(planned.plan, committed)
    known = len(planned.plan.files)
    return sorted(unit for unit in committed.intersection(manifest.listed) if unit.file < known)


def _best_of_shard(output: Output, unit: Unit, query: np.ndarray, top: int) -> list[_Place]:
    uri = output.shard_uri(unit)
    data = output.storage.read_bytes(uri)
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as parquet:
            parts = [scores(vectors, query) for vectors in vector_batches(parquet)]
    except (pa.ArrowException, OSError, ValueError, AttributeError):
        raise StorageError(f"{uri}: not a whole shard; `encorpus verify` says what is wrong") from None
    found = np.concatenate([np.empty(0, np.float32), *parts])
    return [_Place(-float(found[row]), unit.file, unit.slice, int(row)) for row in top_rows(found, top)]


def _hits(planned: Planned, output: Output, places: list[_Place]) -> Iterator[Hit]:
    """Looks up id and text, a shard at a time."""
    rows: dict[Unit, list[_Place]] = {}
    for place in places:
        rows.setdefault(Unit(place.file, place.slice), []).append(place)
    hits = {
        place: hit
        for unit, some in rows.items()
        for place, hit in zip(some, _hits_of_shard(planned, output, unit, some), strict=True)
    }
    return (hits[place] for place in places)


def _hits_of_shard(planned: Planned, output: Output, unit: Unit, places: list[_Place]) -> Iterator[Hit]:
    text_column = planned.columns.text
    kept = text_column in planned.columns.keep
    names = ["id", *([text_column] if kept else []), *(CHUNK_COLUMNS if planned.chunked else [])]
    table = read_columns(output.storage, output.shard_uri(unit), names)
    texts = table[text_column] if kept else _texts_from_input(planned, output, unit, table)
    for place in places:
        yield Hit(
            score=-place.minus_score,
            id=table["id"][place.row].as_py(),
            text=None if texts is None else texts[place.row].as_py(),
            chunk=table["chunk"][place.row].as_py() if planned.chunked else None,
            shard=f"{unit.name}.parquet",
        )


def _texts_from_input(planned: Planned, output: Output, unit: Unit, table: pa.Table) -> pa.ChunkedArray | None:
    """The texts of a shard's rows, by reading its slice again; None when the input is not what it was."""
    try:
        rows = next(input_rows(planned, planned.plan.files[unit.file], [unit], output.storage), None)
    except EncorpusError:
        return None
    if rows is None:
        return None
    if not planned.chunked:
        return rows.table["text"] if rows.table["id"].equals(table["id"]) else None
    chunks = places_of(table)
    if chunks is None or not rows.table["id"].equals(table["id"].take(pa.array(chunks.first))):
        return None
    return chunk_texts(rows.table["text"], chunks)
