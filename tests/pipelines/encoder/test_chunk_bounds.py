"""Where documents are cut into chunks: every token is in one, none is too long, words stay whole where they can."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.encoder.chunk_bounds import chunk_bounds


def bounds(spans, room, overlap=0):
    return [tuple(pair) for pair in chunk_bounds(np.array(spans, np.int32), room, overlap).tolist()]


@st.composite
def cuts(draw, most=12):
    """Spans of up to `most` tokens, the room of a chunk, and an overlap below it."""
    room = draw(st.integers(1, 15))
    spans = draw(st.lists(st.integers(0, most), max_size=60))
    return spans, room, draw(st.integers(0, room - 1))


@given(cuts())
def test_every_token_is_in_a_chunk_and_no_chunk_is_longer_than_its_room(cut):
    spans, room, overlap = cut
    found = bounds(spans, room, overlap)
    assert {token for start, stop in found for token in range(start, stop)} == set(range(sum(spans)))
    assert all(stop - start <= room for start, stop in found)


@given(cuts())
def test_each_chunk_brings_tokens_that_the_one_before_has_not(cut):
    found = bounds(*cut)
    for (start, stop), (later_start, later_stop) in itertools.pairwise(found):
        assert start < later_start <= stop < later_stop


@given(cuts())
def test_the_last_chunk_ends_with_the_document_and_no_other_does(cut):
    found = bounds(*cut)
    assert [stop == sum(cut[0]) for _, stop in found] == [False] * (len(found) - 1) + [True]


@given(cuts())
def test_a_chunk_repeats_no_more_than_the_overlap(cut):
    found = bounds(*cut)
    assert all(stop - start <= cut[2] for (_, stop), (start, _) in itertools.pairwise(found))


@given(cuts(most=1))
def test_where_every_word_is_one_token_overlaps_are_exact(cut):
    spans, room, overlap = cut
    found = bounds(spans, room, overlap)
    assert all(stop - start == overlap for (_, stop), (start, _) in itertools.pairwise(found))
    assert all(stop - start == room for start, stop in found[:-1])


@given(cuts())
def test_only_a_word_longer_than_a_chunk_is_cut(cut):
    spans, room, overlap = cut
    ends = np.cumsum([0, *spans])
    inside = {token for end, span in zip(ends, spans, strict=False) if span > room for token in range(end, end + span)}
    assert {place for pair in bounds(spans, room, overlap) for place in pair} <= {*ends.tolist(), *inside}


@given(cuts())
def test_no_chunk_has_room_for_one_word_more(cut):
    spans, room, overlap = cut
    ends = np.cumsum([0, *spans]).tolist()
    for start, stop in bounds(spans, room, overlap)[:-1]:
        assert min(end for end in ends if end > stop) - start > room


@pytest.mark.parametrize(
    ("spans", "room", "overlap", "due"),
    [
        ([], 4, 0, [(0, 0)]),
        ([0, 0], 4, 3, [(0, 0)]),
        ([1] * 4, 4, 2, [(0, 4)]),
        ([1] * 5, 4, 0, [(0, 4), (4, 5)]),
        ([1] * 5, 4, 2, [(0, 4), (2, 5)]),
        ([3, 3, 3], 4, 0, [(0, 3), (3, 6), (6, 9)]),
        ([1, 3, 1, 3], 4, 1, [(0, 4), (4, 8)]),
        ([1, 2, 1, 3], 4, 1, [(0, 4), (3, 7)]),
        ([2, 9, 2], 4, 1, [(0, 4), (3, 7), (6, 10), (9, 13)]),
        ([5], 1, 0, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]),
    ],
    ids=["empty", "no tokens", "all in one", "one over", "overlap", "whole words", "no whole word to repeat",
         "a whole word repeated", "endless word", "one token at a time"],
)  # fmt: skip
def test_cuts_look_like_this(spans, room, overlap, due):
    assert bounds(spans, room, overlap) == due
