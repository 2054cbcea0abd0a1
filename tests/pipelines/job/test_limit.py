"""A run with a limit does the first of what is missing, and no more of it than it must."""

import pytest

from pipelines.corpus.plan import CorpusFile, Plan, Unit
from pipelines.job.limit import first_part
from pipelines.output.remaining import Remaining

TABLE = CorpusFile(0, "a.parquet", 1, "v", "parquet", None, 25, (0, 10, 20, 25), None)
LINES = CorpusFile(1, "b.jsonl", 900, "v", "jsonl", None, None, (0, 300, 600, 900), None)
STREAM = CorpusFile(2, "c.csv", 1, "v", "csv", None, None, None, None)
PLAN = Plan((TABLE, LINES, STREAM), shard_rows=10)
EVERYTHING = Remaining(tuple(PLAN.units()), ((STREAM, ()),), None)


@pytest.mark.parametrize(("rows", "units"), [(1, 1), (10, 1), (11, 2), (25, 3), (26, 4), (46, 6), (55, 6)])
def test_units_are_taken_in_order_until_they_are_worth_the_rows(rows, units):
    part = first_part(EVERYTHING, PLAN, rows)
    assert (part.units, part.streams) == (EVERYTHING.units[:units], ())


def test_streamed_files_are_read_where_the_others_are_not_enough():
    assert first_part(EVERYTHING, PLAN, 56) == EVERYTHING


def test_units_of_lines_are_worth_their_share_of_the_largest():
    lines = CorpusFile(0, "b.jsonl", 900, "v", "jsonl", None, None, (0, 30, 60, 360, 660), None)
    left = Remaining(tuple(Plan((lines,), 10).units()), (), None)
    assert len(first_part(left, Plan((lines,), 10), 12).units) == 3


def test_what_is_committed_does_not_count():
    left = Remaining((Unit(0, 2), Unit(1, 0)), (), 6)
    assert first_part(left, PLAN, 5).units == (Unit(0, 2),)


def test_a_file_that_cannot_be_read_is_a_unit_like_others():
    broken = CorpusFile(0, "a.parquet", 1, "v", "parquet", None, None, None, "no footer")
    left = Remaining((Unit(0, 0),), (), 1)
    assert first_part(left, Plan((broken,), 10), 1) == left
