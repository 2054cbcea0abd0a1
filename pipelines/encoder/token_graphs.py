"""What a preprocessor's graphs do, whatever runs them. Imports no TensorFlow."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

# What the encoder API calls word_ids, mask and type_ids.
INPUT_NAMES = ("input_word_ids", "input_mask", "input_type_ids")

# As `Tokens` has them, int32 [n, max_tokens] each.
Packed = tuple[np.ndarray, np.ndarray, np.ndarray]


class TokenGraphs(Protocol):
    """For several threads. vocabulary: ids go from 0 to one less; None where the preprocessor does not tell.
    in_calling_thread: whether a call waits for no other thread than its own."""

    @property
    def in_calling_thread(self) -> bool: ...

    @property
    def vocabulary(self) -> int | None: ...

    def of_texts(self, texts: Sequence[bytes], max_tokens: int) -> tuple[Packed, np.ndarray]:
        """Tokenises and packs n texts in UTF-8; and how many tokens each has uncut, without special ones, int32 [n]."""
        ...

    def ids(self, texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts, uncut and without special ones: all of them int32 [t], and how many a text int32 [n]."""
        ...

    def pack(self, ids: np.ndarray, counts: np.ndarray, max_tokens: int) -> Packed:
        """Packs rows of ids with the special ones: all of them int32 [t], and how many a row int32 [n]."""
        ...
