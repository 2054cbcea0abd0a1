"""Checks of the output against its corpus, which is read again: every row is where its input says, and no other."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping

import pyarrow as pa

from pipelines.corpus.changes import CHANGED, GONE, changes_since, with_looks
from pipelines.corpus.inputs import list_inputs
from pipelines.corpus.plan_types import CorpusFile, FileState, Unit
from pipelines.corpus.rows import UnitRows
from pipelines.errors import EncorpusError, UsageError
from pipelines.output.check_chunks import check_cover
from pipelines.output.chunk_columns import chunk_rows, places_of
from pipelines.output.input_rows import embedded_part, input_rows, rejected_by_encoder
from pipelines.output.layout import Output
from pipelines.output.planned import Planned
from pipelines.output.rejects import rejects_of
from pipelines.output.shard import read_columns, read_info
from pipelines.output.violation import Violation
from pipelines.pool_map import pool_map
from pipelines.storage import FileEntry, Storage

# Each has a unit's rows in memory twice, those of the corpus and those of the shard.
UNITS_AT_ONCE = 4


def check_input(
    planned: Planned, output: Output, units: Collection[Unit], on_progress: Callable[[int, int], None]
) -> Iterator[Violation]:
    """Reads the corpus again and compares ids, kept columns and rejects with those of the committed units.

    Rows that an update kept, though their file had vanished, have nothing to be compared with.

    on_progress: called with how many units of files that are cut, and streamed files, are done, and how many there are.
    """
    by_file: defaultdict[int, list[Unit]] = defaultdict(list)
    for unit in sorted(units):
        by_file[unit.file].append(unit)
    changes = with_looks(changes_since(planned.plan, _listed(planned, output.storage)), output.storage)
    gone = {file.number for file in changes.vanished}
    for file in planned.plan.live:
        if file.number in changes.changed or (file.number in gone and file.state is FileState.CURRENT):
            change = GONE if file.number in gone else CHANGED
            yield Violation(file.uri, f"{change} since the plan was made; its rows cannot be compared")
    sound = [file for file in planned.plan.live if file.number not in changes.changed and file.number not in gone]
    cut = [(file, [unit]) for file in sound if not file.streamed for unit in by_file[file.number]]
    streamed = [(file, by_file[file.number]) for file in sound if file.streamed]
    parts = [*cut, *streamed]
    checked = pool_map(lambda part: list(_check_part(planned, output, *part)), parts, UNITS_AT_ONCE)
    for done, found in enumerate(checked, 1):
        yield from found
        on_progress(done, len(parts))


def _listed(planned: Planned, storage: Storage) -> Mapping[str, FileEntry]:
    """The files of the inputs as they are now; none where the inputs are no longer as they have to be for a job."""
    try:
        return list_inputs(planned.job.inputs, storage)
    except UsageError:
        return {}


def _check_part(planned: Planned, output: Output, file: CorpusFile, units: list[Unit]) -> Iterator[Violation]:
    """Compares one unit of a file that is cut, or all units of a streamed one."""
    try:
        left = dict.fromkeys(units)
        for rows in input_rows(planned, file, units, output.storage):
            del left[rows.unit]
            yield from _compare(planned, output, rows)
    except EncorpusError as error:
        yield Violation(file.uri, str(error))
        return
    for unit in left:
        yield Violation(f"{unit.name}.parquet", f"{file.uri} has no such slice")


def _compare(planned: Planned, output: Output, rows: UnitRows) -> Iterator[Violation]:
    shard = f"{rows.unit.name}.parquet"
    names = planned.row_schema.names
    try:
        info = read_info(output.storage, output.shard_uri(rows.unit))
        found = read_columns(output.storage, output.shard_uri(rows.unit), names)
        rejects = rejects_of(output, rows.unit, there=info.rejects > 0)
    except EncorpusError as error:
        yield Violation(shard, str(error))
        return
    if (info.start, info.stop, info.last) != (rows.start, rows.stop, rows.last):
        yield Violation(
            shard, f"covers {info.start} to {info.stop}, where the input's slice is {rows.start} to {rows.stop}"
        )
    if told := _difference_of_rows(planned, found, embedded_part(rows, rejects)):
        yield Violation(shard, told)
    if told := _difference(rejects.filter(pa.array(~rejected_by_encoder(rejects))), rows.rejects):
        yield Violation(f"_encorpus/rejects/{shard}", told)


def _difference_of_rows(planned: Planned, found: pa.Table, embedded: pa.Table) -> str | None:
    """Where a shard's rows first differ from those that the input's rows, `embedded`, are due to have."""
    documents = embedded.select(planned.plan.schema.names)
    if not planned.chunked:
        return _difference(found, documents)
    places = places_of(found)
    if places is None:
        return "its chunks are not numbered 0, 1, … document by document"
    if len(places.first) != documents.num_rows:
        return f"holds chunks of {len(places.first)} documents, where the input gives {documents.num_rows}"
    due = chunk_rows(documents, planned.columns.text, places)
    return check_cover(embedded["text"].to_pylist(), places) or _difference(found, due)


def _difference(found: pa.Table, due: pa.Table) -> str | None:
    """Where the output's rows first differ from the input's."""
    if found.num_rows != due.num_rows:
        return f"holds {found.num_rows} rows, where the input gives {due.num_rows}"
    for name in due.schema.names:
        ours, theirs = found[name], due[name]
        if ours.equals(theirs):
            continue
        # As texts, since a NaN is not equal to itself.
        pairs = enumerate(zip(ours.to_pylist(), theirs.to_pylist(), strict=True))
        first = next((place for place, (one, other) in pairs if repr(one) != repr(other)), None)
        if first is not None:
            values = f"{_short(ours[first])}, where {_short(theirs[first])} is due"
            return f"its {name} in row {first} is not the input's: {values}"
    return None


def _short(value: pa.Scalar) -> str:
    return repr(value.as_py())[:60]
