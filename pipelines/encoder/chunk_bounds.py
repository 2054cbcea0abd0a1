"""Where a document is cut into chunks: arithmetic on numbers of tokens alone.

A chunk begins and ends between two spans, so that no word is in two pieces; only a span that is longer than a whole
chunk is cut inside.
"""

import numpy as np


def chunk_bounds(span_tokens: np.ndarray, room: int, overlap: int) -> np.ndarray:
    """The first token of each chunk and the one after its last, int64 [c, 2].

    span_tokens: int [s], how many tokens each span of the document has. room: the most tokens of a chunk, at least 1.
    overlap: how many tokens a chunk repeats of the one before, less than room. A chunk takes all the spans for which it
    has room. It repeats as many whole spans as have no more than `overlap` tokens, and fewer where its first new span
    would have no room beside them. The last chunk ends with the document; a document without tokens is one chunk 0, 0.
    """
    breaks = _breaks(span_tokens, room)
    total = int(breaks[-1])
    bounds: list[tuple[int, int]] = []
    start = 0
    while True:
        place = int(np.searchsorted(breaks, start + room, "right"))
        stop = int(breaks[place - 1])
        bounds.append((start, stop))
        if stop == total:
            return np.array(bounds, np.int64)
        following = int(breaks[place])
        start = int(breaks[np.searchsorted(breaks, max(stop - overlap, following - room))])


def _breaks(span_tokens: np.ndarray, room: int) -> np.ndarray:
    """The token numbers at which a chunk may begin or end, ascending: int64, from 0 to the number of tokens."""
    ends = np.cumsum(span_tokens, dtype=np.int64)
    long = np.flatnonzero(span_tokens > room)
    inside = [np.arange(ends[span] - span_tokens[span], ends[span]) for span in long]
    breaks = np.concatenate([[0], ends, *inside])
    if inside:
        breaks.sort()
    return breaks[np.diff(breaks, prepend=-1) > 0]
