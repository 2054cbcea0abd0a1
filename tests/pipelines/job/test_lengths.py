"""Rows by their tokens, in a bounded number of bins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.job.lengths import BINS, bin_width, length_counts


@given(st.integers(3, 9000), st.data())
def test_every_row_counts_once_whatever_the_longest_text(max_tokens, data):
    tokens = np.array(data.draw(st.lists(st.integers(1, max_tokens), max_size=50)), np.int32)
    counts = length_counts(tokens, max_tokens)
    assert len(counts) <= BINS
    assert sum(counts) == len(tokens)
    width = bin_width(max_tokens)
    for place, count in enumerate(counts):
        assert count == ((tokens > place * width) & (tokens <= (place + 1) * width)).sum()


@pytest.mark.parametrize(("max_tokens", "width"), [(32, 1), (64, 1), (65, 2), (128, 2), (512, 8), (8192, 128)])
def test_a_bin_is_as_wide_as_the_longest_text_needs(max_tokens, width):
    assert bin_width(max_tokens) == width


def test_a_document_longer_than_any_text_counts_in_the_last_bin():
    counts = length_counts(np.array([5, 1280], np.int32), 128)
    assert (len(counts), counts[2], counts[-1]) == (BINS, 1, 1)


def test_no_rows_have_no_bins():
    assert length_counts(np.zeros(0, np.int32), 128) == ()
