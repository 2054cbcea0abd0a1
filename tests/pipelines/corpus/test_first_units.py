"""The first units of a job are small where nobody said how large they are to be."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.first_units import LEAST_SLICES, PIECES, with_small_first_units
from pipelines.corpus.plan_types import CorpusFile, Plan

FILE = CorpusFile(0, "a.parquet", 1, "1", "parquet", None, 17_000, tuple(range(0, 17_001, 1000)), None)


def plan_of(*files):
    return Plan(tuple(replace(file, number=number) for number, file in enumerate(files)), 1000)


def bounds(plan):
    return [file.bounds for file in plan.files]


def test_the_first_unit_becomes_several():
    due = (0, 125, 250, 375, 500, 625, 750, 875, *range(1000, 17_001, 1000))
    assert bounds(with_small_first_units(plan_of(FILE, FILE))) == [due, FILE.bounds]


@pytest.mark.parametrize(
    "file",
    [
        replace(FILE, bounds=tuple(range(0, 15_001, 1000))),
        replace(FILE, bounds=(0, 1000)),
        replace(FILE, bounds=(0, 0)),
        replace(FILE, bounds=None),
        replace(FILE, error="damaged"),
    ],
)
def test_a_file_of_few_units_or_of_unknown_ones_stays_as_it_is(file):
    assert bounds(with_small_first_units(plan_of(file, FILE))) == [file.bounds, FILE.bounds]


def test_a_plan_without_files_stays_as_it_is():
    assert with_small_first_units(plan_of()) == plan_of()


@given(st.lists(st.integers(1, 5000), min_size=LEAST_SLICES, max_size=40))
def test_every_row_is_in_one_unit(widths):
    cut = [0]
    for width in widths:
        cut.append(cut[-1] + width)
    [found] = bounds(with_small_first_units(plan_of(replace(FILE, bounds=tuple(cut)))))
    assert found is not None
    assert set(cut) <= set(found)
    assert all(after > before for before, after in pairwise(found))
    assert len(found) == len(cut) + min(PIECES, widths[0]) - 1
