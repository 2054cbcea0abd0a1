"""A unit's rows counted by their tokens, small enough for its record."""

import numpy as np

BINS = 64


def bin_width(max_tokens: int) -> int:
    """How many token counts a bin holds, where texts are cut at `max_tokens`: at most BINS bins of one width."""
    return -(-max_tokens // BINS)


def length_counts(tokens: np.ndarray, max_tokens: int) -> tuple[int, ...]:
    """Rows in each bin, up to the longest row's. tokens: int32 [n]; bin k is of the token counts k × width + 1 to
    (k + 1) × width, and of more, as documents pooled from chunks have, if it is that of max_tokens."""
    return tuple(np.bincount((np.clip(tokens, 1, max_tokens) - 1) // bin_width(max_tokens)).tolist())
