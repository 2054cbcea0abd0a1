"""The plan of a corpus: its files in a fixed order, each cut into units without reading more than it must.

The same files give the same plan, wherever and whenever it is made. `extend` is for what comes later.
"""

from collections.abc import Sequence

from pipelines.corpus.inputs import check_columns, list_inputs, refuse_ids_of_text
from pipelines.corpus.numbering import first_schema, number_files, survey_all
from pipelines.corpus.plan_file import plan_digest, plan_from_bytes, plan_to_bytes
from pipelines.corpus.plan_types import Columns, CorpusFile, FileState, Plan, Unit
from pipelines.errors import UsageError
from pipelines.storage import Storage

__all__ = [
    "Columns",
    "CorpusFile",
    "FileState",
    "Plan",
    "Unit",
    "make_plan",
    "plan_digest",
    "plan_from_bytes",
    "plan_to_bytes",
]


def make_plan(inputs: Sequence[str], columns: Columns, shard_rows: int, storage: Storage) -> Plan:
    """Plans the files of the inputs: inputs in the order given, each one's files sorted by URI.

    A file that one input reaches twice, through links, is planned once, by the first of its paths. Raises UsageError
    when an input holds no files or holds one of an unknown format, two inputs hold the same file, or a column is in
    none of the files or of a type that cannot be used in any. Where only some of the files are so, it is their `error`.
    """
    check_columns(columns)
    entries = list(list_inputs(inputs, storage).values())
    refuse_ids_of_text(entries, columns)
    surveys = survey_all(entries, columns, shard_rows, storage)
    known = [seen for seen in surveys if seen.has_columns]
    if known and all(seen.column_problem for seen in known):
        raise UsageError(f"{known[0].entry.uri}: {known[0].column_problem}")
    files, schema = number_files(dict(enumerate(surveys)), first_schema(surveys, columns))
    return Plan(tuple(files), shard_rows, schema)
