"""A text in spans that a tokeniser never joins, with their places: words, and marks that stand alone.

The rules are those of BERT's tokenisers: words end at whitespace, at punctuation and at CJK characters. What is no
certain boundary, such as a no-break space, which only some of them take for whitespace, is part of a word.
"""

import sys
import unicodedata
from functools import cache

import numpy as np

WHITESPACE = " \t\n\r\f"

# What is no punctuation to Unicode but to a BERT tokeniser.
ASCII_MARKS = "$+<=>^`|~"
CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)

SPACE, WORD, MARK = range(3)


def words_and_marks(text: str) -> tuple[np.ndarray, np.ndarray]:
    """The words of a text, and its marks one by one: the characters, int32 [s] each, at which they start and end."""
    return _cut(_kinds_of_characters()[_code_points(text)])


def between_whitespace(text: str) -> tuple[np.ndarray, np.ndarray]:
    """What stands between whitespace, as `words_and_marks` gives it."""
    spaces = np.isin(_code_points(text), _code_points(WHITESPACE))
    return _cut(np.where(spaces, np.uint8(SPACE), np.uint8(WORD)))


def _cut(kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    word = kinds == WORD
    before = np.concatenate([[False], word[:-1]]) if len(word) else word
    after = np.concatenate([word[1:], [False]]) if len(word) else word
    mark = kinds == MARK
    starts, ends = np.flatnonzero(mark | (word & ~before)), np.flatnonzero(mark | (word & ~after)) + 1
    return starts.astype(np.int32), ends.astype(np.int32)


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


@cache
def _kinds_of_characters() -> np.ndarray:
    """SPACE, WORD or MARK of every code point, uint8."""
    kinds = np.full(sys.maxunicode + 1, WORD, np.uint8)
    marks = (code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("P"))
    kinds[list(marks)] = MARK
    kinds[_code_points(ASCII_MARKS)] = MARK
    for first, last in CJK:
        kinds[first : last + 1] = MARK
    kinds[_code_points(WHITESPACE)] = SPACE
    return kinds
