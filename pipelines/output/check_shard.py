"""Checks of one shard: whole, of its unit, as its footer says, and with every row of its slice accounted for."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.corpus.plan_types import Unit
from pipelines.errors import StorageError
from pipelines.output.check_chunks import check_chunks, has_chunk_columns
from pipelines.output.check_rejects import check_rejects
from pipelines.output.layout import Output
from pipelines.output.planned import Planned
from pipelines.output.quantized import stored_width
from pipelines.output.rejects import read_rejects
from pipelines.output.repeated_ids import id_digests
from pipelines.output.shard import shard_schema, stored_schema
from pipelines.output.shard_contents import UnitContents, ascend_within, parse_shard, positions_of
from pipelines.output.shard_info import ShardInfo
from pipelines.output.violation import AGAIN, Violation

# Norms are computed again, perhaps on another machine.
NORM_TOLERANCE = 1e-4

# Formats whose positions are row numbers, so that a slice's range tells how many rows it has.
COUNTED_FORMATS = ("parquet", "csv")

SHOWN_ROWS = 3


@dataclass(frozen=True)
class ShardReport:
    """What became of checking a shard. info: None where the file is too damaged to tell. ids: their digests, where they
    were asked for and could be read."""

    unit: Unit
    info: ShardInfo | None
    violations: tuple[Violation, ...]
    ids: np.ndarray | None = None


def check_shard(planned: Planned, output: Output, unit: Unit, has_rejects: bool, deep: bool = False) -> ShardReport:
    """Reads the shard and the rejects of a unit of the plan, once, and checks them.

    deep: looks for vectors of length 0 too, and reports the digests of own ids.
    """
    shard_name, rejects_name = f"{unit.name}.parquet", f"_encorpus/rejects/{unit.name}.parquet"
    try:
        shard = parse_shard(output.storage.read_bytes(output.shard_uri(unit)))
    except StorageError as error:
        return ShardReport(unit, None, (Violation(shard_name, str(error)),))
    except ValueError as error:
        return ShardReport(unit, None, (Violation(shard_name, f"{error}; delete it and {AGAIN}"),))
    try:
        rejects = read_rejects(output.storage, output.rejects_uri(unit)) if has_rejects else None
    except StorageError as error:
        return ShardReport(unit, shard.info, (Violation(rejects_name, str(error)),))
    contents = UnitContents(planned, planned.plan.files[unit.file], unit, shard, rejects)
    checks = (*CHECKS, _has_no_zero_vectors) if deep else CHECKS
    wrong = [Violation(shard_name, what) for check in checks for what in check(contents)]
    wrong += [Violation(rejects_name, what) for what in check_rejects(contents)]
    own_ids = deep and not contents.generated_ids and "id" in shard.table.schema.names
    ids = id_digests(contents.document_ids) if own_ids and not shard.table["id"].null_count else None
    return ShardReport(unit, shard.info, tuple(wrong), ids)


def _belongs(contents: UnitContents) -> Iterator[str]:
    info, file = contents.shard.info, contents.file
    if info.unit != contents.unit.name:
        yield f"its footer says that it is {info.unit}; it was renamed: name it so, or delete it and {AGAIN}"
    if (info.file, info.version) != (file.uri, file.version):
        yield f"made from {info.file} (version {info.version}), not from {file.uri} (version {file.version}) as planned"
    if info.fingerprint != contents.planned.job.fingerprint:
        yield f"its vectors are of another encoder, with fingerprint {info.fingerprint[:16]}; delete it and {AGAIN}"


def _covers_its_slice(contents: UnitContents) -> Iterator[str]:
    info, file, number = contents.shard.info, contents.file, contents.unit.slice
    if info.start > info.stop:
        yield f"covers {info.start} to {info.stop}, which is no range"
    if file.slices is None or file.bounds is None:
        return
    start, stop = file.bounds[number : number + 2]
    if (info.start, info.stop) != (start, stop):
        yield f"covers {info.start} to {info.stop}, where {start} to {stop} was planned"
    if info.last != (number == file.slices - 1):
        yield f"says that it is {'' if info.last else 'not '}its file's last slice, against the plan"


def _has_the_schema(contents: UnitContents) -> Iterator[str]:
    planned, found, width = contents.planned, contents.shard.schema, contents.shard.width
    if width is None:
        yield "its embedding column is missing, or of a type that encorpus never writes"
        return
    dtype, dimension = planned.job.encoder["dtype"], contents.shard.info.dimension
    due = shard_schema(planned.row_schema, width, dtype, planned.sequence)
    if not found.equals(stored_schema(due)):
        yield f"its columns are {_columns(found)}, where {_columns(due)} were planned"
    elif stored_width(dimension, dtype) != width:
        yield f"its footer gives {dimension} numbers to a vector, its embedding column {width} to a stored one"


def _agrees_with_its_footer(contents: UnitContents) -> Iterator[str]:
    info, table = contents.shard.info, contents.shard.table
    if table.num_rows != info.rows:
        yield f"holds {table.num_rows} rows, its footer says {info.rows}"
    if "id" in table.schema.names and (found := len(contents.document_ids)) != info.documents:
        yield f"holds rows of {found} documents, its footer says {info.documents}"
    for name, said in (("tokens", info.tokens), ("truncated", info.truncated)):
        if name in table.schema.names and (found := _sum(table[name])) != said:
            yield f"its {name} add up to {found}, its footer says {said}"


def _has_sound_vectors(contents: UnitContents) -> Iterator[str]:
    info, norms, dtype = contents.shard.info, contents.shard.norms, contents.planned.job.encoder["dtype"]
    if not (0 < info.scale < math.inf if dtype == "int8" else info.scale == 1):
        yield f"its footer gives the scale {info.scale:g} to {dtype} vectors"
    if wrong := contents.shard.impossible:
        yield f"{wrong} of its {dtype} vectors hold bits or numbers that encorpus never writes"
    if wrong := int(np.count_nonzero(~np.isfinite(norms))):
        yield f"{wrong} of its vectors are NaN or infinite"
        return
    found = (norms.min(), norms.mean(dtype=np.float64), norms.max()) if norms.size else (0.0, 0.0, 0.0)
    if not np.allclose(found, (info.norm_min, info.norm_mean, info.norm_max), rtol=NORM_TOLERANCE):
        yield "the lengths of its vectors are not those that its footer gives"


def _has_no_zero_vectors(contents: UnitContents) -> Iterator[str]:
    """A sound encoder makes no such vector of a text, and it has no cosine with any other; as bits, it is like others.

    As int8, vectors that are much shorter than the unit's longest become zero too.
    """
    encoder = contents.planned.job.encoder
    if encoder["dtype"] == "binary":
        return
    zero = np.flatnonzero(contents.shard.norms == 0)
    if not zero.size:
        return
    rows = zero
    if contents.planned.sequence and "tokens" in contents.shard.table.schema.names:
        rows = np.unique(np.searchsorted(np.cumsum(contents.shard.table["tokens"]), zero, side="right"))
    shown = ", ".join(map(str, rows[:SHOWN_ROWS].tolist())) + (", …" if len(rows) > SHOWN_ROWS else "")
    told = f"{zero.size} of its vectors are zero, in row{'s' if len(rows) > 1 else ''} {shown}; "
    if encoder["dtype"] == "int8" and not encoder["normalize"]:
        other = "--dtype float16" if contents.planned.sequence else "--dtype float16 or --normalize"
        yield f"{told}their numbers are too small for the shard's scale, or the model is at fault; use {other}"
    else:
        yield f"{told}check the model"


def _has_whole_documents(contents: UnitContents) -> Iterator[str]:
    table = contents.shard.table
    if contents.planned.chunked and "id" in table.schema.names and has_chunk_columns(table.schema):
        yield from check_chunks(table)


def _has_its_own_ids(contents: UnitContents) -> Iterator[str]:
    info, table = contents.shard.info, contents.shard.table
    if "id" not in table.schema.names:
        return
    if nulls := table["id"].null_count:
        yield f"{nulls} of its ids are null"
    elif contents.generated_ids:
        positions = positions_of(contents)
        if positions is None:
            yield "some of its ids are not made from its file's number and the row's position"
        elif not ascend_within(positions, info):
            yield f"its ids do not ascend, each once, from {info.start} to {info.stop}: rows were moved or doubled"


def _accounts_for_every_row(contents: UnitContents) -> Iterator[str]:
    """Rows in = documents out + rejects, where the slice's range tells the rows in."""
    info, file, rejects = contents.shard.info, contents.file, contents.rejects
    if file.error is not None and (info.documents, info.rejects) != (0, 1):
        yield "its file cannot be read, so that one reject and no rows were due"
    if file.error is not None or file.format not in COUNTED_FORMATS or (rejects is None and info.rejects):
        return
    of_the_file = rejects["row"].null_count if rejects is not None and "row" in rejects.schema.names else 0
    found, due = info.documents + info.rejects - of_the_file, info.stop - info.start
    # A file that could not be read on has fewer rows than its range, and a reject that says so.
    if found > due or (found < due and not of_the_file):
        yield f"{info.documents} documents and {info.rejects} rejects do not make up the {due} rows that its slice has"


# A shard's checks, each of which says what it finds wrong, a line each.
CHECKS: tuple[Callable[[UnitContents], Iterator[str]], ...] = (
    _belongs,
    _covers_its_slice,
    _has_the_schema,
    _agrees_with_its_footer,
    _has_sound_vectors,
    _has_whole_documents,
    _has_its_own_ids,
    _accounts_for_every_row,
)


def _sum(column: pa.ChunkedArray) -> int:
    return int(column.to_numpy().sum(dtype=np.int64))


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
