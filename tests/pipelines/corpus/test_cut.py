"""Cutting: slices cover the file once, and are about as large as asked for."""

from itertools import accumulate, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.corpus.cut import MAX_SLICE_BYTES, RowGroup, cut_bytes, cut_row_groups

SMALL_GROUPS = st.lists(st.builds(RowGroup, st.integers(0, 400), st.just(1000)), max_size=30)


@settings(deadline=None)
@given(SMALL_GROUPS, st.integers(1, 200))
def test_row_slices_cover_all_rows_once(groups: list[RowGroup], shard_rows: int):
    bounds = cut_row_groups(groups, shard_rows)
    total = sum(group.rows for group in groups)
    assert (bounds[0], bounds[-1]) == (0, total)
    assert all(start < stop for start, stop in pairwise(bounds)) or bounds == (0, 0)


@settings(deadline=None)
@given(SMALL_GROUPS, st.integers(1, 200))
def test_no_slice_is_much_larger_than_asked_for(groups: list[RowGroup], shard_rows: int):
    slices = pairwise(cut_row_groups(groups, shard_rows))
    assert all(stop - start <= 1.5 * shard_rows + 1 for start, stop in slices)


@settings(deadline=None)
@given(SMALL_GROUPS, st.integers(1, 200))
def test_a_slice_takes_part_of_two_groups_only_if_it_takes_all_of_each(groups: list[RowGroup], shard_rows: int):
    edges = list(accumulate((group.rows for group in groups), initial=0))
    spans = [(start, stop) for start, stop in pairwise(edges) if start < stop]
    for start, stop in pairwise(cut_row_groups(groups, shard_rows)):
        touched = [span for span in spans if span[0] < stop and span[1] > start]
        assert len(touched) < 2 or all(start <= low and high <= stop for low, high in touched)


def test_small_groups_are_joined_and_big_ones_cut_evenly():
    groups = [RowGroup(rows, 0) for rows in (40, 60, 50, 300, 10)]
    assert cut_row_groups(groups, 100) == (0, 100, 150, 250, 350, 450, 460)


def test_a_group_of_huge_texts_is_cut_by_its_bytes():
    assert cut_row_groups([RowGroup(8, 4 * MAX_SLICE_BYTES)], 1000) == (0, 2, 4, 6, 8)


def test_no_rows_are_one_slice():
    assert cut_row_groups([], 100) == (0, 0)
    assert cut_bytes(0, 0.0, 100) == (0, 0)


def test_bytes_are_cut_by_the_mean_length_of_a_row():
    assert cut_bytes(1_000, 10.0, 25) == (0, 250, 500, 750, 1_000)


@settings(deadline=None)
@given(st.integers(0, 1 << 40), st.floats(1_000, 1 << 30), st.integers(1_000, 100_000))
def test_byte_slices_cover_the_file_and_fit_in_memory(size: int, row_bytes: float, shard_rows: int):
    bounds = cut_bytes(size, row_bytes, shard_rows)
    assert (bounds[0], bounds[-1]) == (0, size)
    assert all(0 < stop - start <= 1.5 * MAX_SLICE_BYTES for start, stop in pairwise(bounds)) or size == 0
