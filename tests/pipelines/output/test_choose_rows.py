"""Which rows are looked at: as many as asked for, several of a unit, larger units more often, the same for a seed."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.plan import Unit
from pipelines.output.check_sample import ROWS_OF_A_UNIT, choose_rows

SIZES = st.lists(st.integers(0, 200), max_size=30)


def chosen(sizes: list[int], wanted: int, seed: int) -> dict[int, list[int]]:
    units = [Unit(0, number) for number in range(len(sizes))]
    return {unit.slice: rows.tolist() for unit, rows in choose_rows(units, sizes, wanted, seed).items()}


@given(SIZES, st.integers(1, 500), st.integers(1, 1000))
def test_rows_are_of_their_units_each_once_in_order_and_no_more_than_wanted(sizes: list[int], wanted: int, seed: int):
    found = chosen(sizes, wanted, seed)
    assert all(rows == sorted(set(rows)) and 0 <= rows[0] <= rows[-1] < sizes[unit] for unit, rows in found.items())
    assert list(found) == sorted(found)
    assert sum(map(len, found.values())) <= max(wanted, 0) + ROWS_OF_A_UNIT - 1
    assert found == chosen(sizes, wanted, seed)


@given(SIZES, st.integers(1, 1000))
def test_all_rows_are_chosen_where_no_more_are_wanted(sizes: list[int], seed: int):
    found = chosen(sizes, max(sum(sizes), 1), seed)
    assert found == {unit: list(range(size)) for unit, size in enumerate(sizes) if size}


def test_few_units_are_read():
    found = chosen([1000] * 10_000, 256, seed=3)
    assert len(found) == 256 // ROWS_OF_A_UNIT
    assert sum(map(len, found.values())) == 256


def test_every_row_is_as_likely_as_another():
    counts = Counter(unit for seed in range(1, 2001) for unit in chosen([100, 300], 16, seed))
    assert np.isclose(counts[1] / counts[0], 3, rtol=0.2)


def test_another_seed_chooses_others():
    assert chosen([1000] * 100, 64, seed=1) != chosen([1000] * 100, 64, seed=2)
