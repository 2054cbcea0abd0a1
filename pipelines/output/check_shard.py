"""Checks of one shard and its rejects file: whole, of its unit, and with every row of its slice accounted for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan_types import CorpusFile, Unit
from pipelines.corpus.rows import REJECT_SCHEMA, generated_id
from pipelines.errors import StorageError
from pipelines.output.layout import Output
from pipelines.output.planned import Planned
from pipelines.output.rejects import read_rejects
from pipelines.output.seal import check_seal
from pipelines.output.shard import shard_schema, stored_schema
from pipelines.output.shard_info import ShardInfo, from_metadata
from pipelines.output.vectors import vector_norms, vectors_of
from pipelines.output.violation import AGAIN, Violation

# Norms are computed again, perhaps on another machine.
NORM_TOLERANCE = 1e-4

# Formats whose positions are row numbers, so that a slice's range tells how many rows it has.
COUNTED_FORMATS = ("parquet", "csv")


@dataclass(frozen=True)
class ShardReport:
    """What became of checking a shard. info, dimension: None where the file is too damaged to tell."""

    unit: Unit
    info: ShardInfo | None
    dimension: int | None
    violations: tuple[Violation, ...]


@dataclass(frozen=True)
class _Contents:
    """All that the checks look at. rejects: None where the unit has no rejects file."""

    planned: Planned
    file: CorpusFile
    unit: Unit
    info: ShardInfo
    table: pa.Table
    rejects: pa.Table | None


def check_shard(planned: Planned, output: Output, unit: Unit, has_rejects: bool) -> ShardReport:
    """Reads the shard and the rejects of a unit of the plan, once, and checks them."""
    shard_name, rejects_name = f"{unit.name}.parquet", f"_encorpus/rejects/{unit.name}.parquet"
    try:
        data = output.storage.read_bytes(output.shard_uri(unit))
        info, table = _parse(data)
    except StorageError as error:
        return ShardReport(unit, None, None, (Violation(shard_name, str(error)),))
    except ValueError as error:
        return ShardReport(unit, None, None, (Violation(shard_name, f"{error}; delete it and {AGAIN}"),))
    try:
        rejects = read_rejects(output.storage, output.rejects_uri(unit)) if has_rejects else None
    except StorageError as error:
        return ShardReport(unit, info, _dimension(table), (Violation(rejects_name, str(error)),))
    contents = _Contents(planned, planned.plan.files[unit.file], unit, info, table, rejects)
    wrong = [Violation(shard_name, what) for check in SHARD_CHECKS for what in check(contents)]
    wrong += [Violation(rejects_name, what) for check in REJECTS_CHECKS for what in check(contents)]
    return ShardReport(unit, info, _dimension(table), tuple(wrong))


def _parse(data: bytes) -> tuple[ShardInfo, pa.Table]:
    """The checksum is checked before anything is parsed. Raises ValueError that says what is wrong."""
    if wrong := check_seal(memoryview(data)):
        raise ValueError(wrong)
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as parquet:
            info = from_metadata(parquet.metadata.metadata, len(data))
            return info, parquet.read(use_threads=False).replace_schema_metadata(None)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"not readable as Parquet ({' '.join(str(error).split())[:200]})") from None


def _belongs(contents: _Contents) -> Iterator[str]:
    info, file = contents.info, contents.file
    if info.unit != contents.unit.name:
        yield f"its footer says that it is {info.unit}; it was renamed: name it so, or delete it and {AGAIN}"
    if (info.file, info.version) != (file.uri, file.version):
        yield f"made from {info.file} (version {info.version}), not from {file.uri} (version {file.version}) as planned"
    if info.fingerprint != contents.planned.job.fingerprint:
        yield f"its vectors are of another encoder, with fingerprint {info.fingerprint[:16]}; delete it and {AGAIN}"


def _covers_its_slice(contents: _Contents) -> Iterator[str]:
    info, file, number = contents.info, contents.file, contents.unit.slice
    if info.start > info.stop:
        yield f"covers {info.start} to {info.stop}, which is no range"
    if file.slices is None or file.bounds is None:
        return
    start, stop = file.bounds[number : number + 2]
    if (info.start, info.stop) != (start, stop):
        yield f"covers {info.start} to {info.stop}, where {start} to {stop} was planned"
    if info.last != (number == file.slices - 1):
        yield f"says that it is {'' if info.last else 'not '}its file's last slice, against the plan"


def _has_the_schema(contents: _Contents) -> Iterator[str]:
    planned, schema = contents.planned, contents.table.schema
    dimension = _dimension(contents.table)
    if dimension is None:
        yield "its embedding column is missing or of another type than a job of encorpus writes"
        return
    expected = stored_schema(
        shard_schema(planned.plan.schema, dimension, planned.job.encoder["dtype"], planned.sequence)
    )
    if not schema.equals(expected):
        yield f"its columns are {_columns(schema)}, where {_columns(expected)} were planned"


def _agrees_with_its_footer(contents: _Contents) -> Iterator[str]:
    info, table = contents.info, contents.table
    if table.num_rows != info.rows:
        yield f"holds {table.num_rows} rows, its footer says {info.rows}"
    for name, said in (("tokens", info.tokens), ("truncated", info.truncated)):
        if name in table.schema.names and (found := _sum(table[name])) != said:
            yield f"its {name} add up to {found}, its footer says {said}"


def _has_finite_vectors(contents: _Contents) -> Iterator[str]:
    if _dimension(contents.table) is None:
        return
    info, norms = contents.info, vector_norms(vectors_of(contents.table["embedding"]))
    if wrong := int(np.count_nonzero(~np.isfinite(norms))):
        yield f"{wrong} of its vectors are NaN or infinite"
        return
    found = (norms.min(), norms.mean(dtype=np.float64), norms.max()) if norms.size else (0.0, 0.0, 0.0)
    if not np.allclose(found, (info.norm_min, info.norm_mean, info.norm_max), rtol=NORM_TOLERANCE):
        yield "the lengths of its vectors are not those that its footer gives"


def _has_its_own_ids(contents: _Contents) -> Iterator[str]:
    ids, info = contents.table.column(0), contents.info
    if ids.null_count:
        yield f"{ids.null_count} of its ids are null"
        return
    if contents.planned.job.columns["id"] is not None:
        return
    positions = _positions(contents)
    if positions is None:
        yield "some of its ids are not made from its file's number and the row's position"
    elif positions.size and (np.any(np.diff(positions) <= 0) or not _within(positions, info)):
        yield f"its ids do not ascend, each once, from {info.start} to {info.stop}: rows were moved or doubled"


def _has_its_rejects(contents: _Contents) -> Iterator[str]:
    rejects, said = contents.rejects, contents.info.rejects
    if rejects is None and said:
        yield f"missing, with {said} rows; delete the shard {contents.unit.name}.parquet and {AGAIN}"
    elif rejects is not None and rejects.num_rows != said:
        yield f"holds {rejects.num_rows} rows, where the shard's footer counts {said}"


def _has_own_rejects(contents: _Contents) -> Iterator[str]:
    rejects, info = contents.rejects, contents.info
    if rejects is None:
        return
    if not rejects.schema.equals(REJECT_SCHEMA):
        yield f"its columns are {_columns(rejects.schema)}, where {_columns(REJECT_SCHEMA)} were due"
        return
    if rejects.num_rows and rejects["file"].unique().to_pylist() != [contents.file.uri]:
        yield f"rows of other files than {contents.file.uri} are among them"
    rows = rejects["row"].drop_null().to_numpy()
    if rows.size and (np.any(np.diff(rows) <= 0) or not _within(rows, info)):
        yield f"their rows do not ascend, each once, from {info.start} to {info.stop}"
    embedded = _positions(contents) if contents.planned.job.columns["id"] is None else None
    if embedded is not None and (both := np.intersect1d(rows, embedded)).size:
        yield f"{both.size} of them are in the shard too, the first being row {both[0]}"


def _accounts_for_every_row(contents: _Contents) -> Iterator[str]:
    """Rows in = rows out + rejects, where the slice's range tells the rows in."""
    info, file, rejects = contents.info, contents.file, contents.rejects
    if file.format not in COUNTED_FORMATS or (rejects is None) != (info.rejects == 0):
        return
    of_the_file = rejects["row"].null_count if rejects is not None and "row" in rejects.schema.names else 0
    found, due = info.rows + info.rejects - of_the_file, info.stop - info.start
    # A file that could not be read on has fewer rows than its range, and a reject that says so.
    if found > due or (found < due and not of_the_file):
        yield f"{info.rows} rows and {info.rejects} rejects do not make up the {due} rows that its slice has"
    if file.error is not None and (info.rows, info.rejects) != (0, 1):
        yield "its file cannot be read, so that one reject and no rows were due"


Check = Callable[[_Contents], Iterator[str]]

SHARD_CHECKS: tuple[Check, ...] = (
    _belongs,
    _covers_its_slice,
    _has_the_schema,
    _agrees_with_its_footer,
    _has_finite_vectors,
    _has_its_own_ids,
    _accounts_for_every_row,
)
REJECTS_CHECKS: tuple[Check, ...] = (_has_its_rejects, _has_own_rejects)


def _positions(contents: _Contents) -> np.ndarray | None:
    """The row positions that generated ids hold, int64 [n]; None when some ids are not generated ones."""
    ids = contents.table.column(0).to_pylist()
    try:
        positions = [int(str(value).rpartition(":")[2]) for value in ids]
    except ValueError:
        return None
    generated = [generated_id(contents.file, position) for position in positions]
    return np.array(positions, np.int64) if ids == generated else None


def _sum(column: pa.ChunkedArray) -> int:
    return int(column.to_numpy().sum(dtype=np.int64))


def _within(positions: np.ndarray, info: ShardInfo) -> bool:
    return bool(positions[0] >= info.start and positions[-1] < info.stop)


def _dimension(table: pa.Table) -> int | None:
    """The length of the table's vectors; None when its embedding column is of no type of ours."""
    if table.num_columns == 0 or "embedding" not in table.schema.names:
        return None
    kind = table.schema.field("embedding").type
    if pa.types.is_list(kind):
        kind = kind.value_type
    return kind.list_size if pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type) else None


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
