"""What runs an encoder's batches: the interface, whatever stands behind it."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

RUNTIMES = ("auto", "tensorflow", "openvino")


class Runtime(Protocol):
    """Gives the vectors of batches, to one thread at a time.

    name: one of RUNTIMES. closed_shapes: whether each further shape costs it more than padding would, so that batches
    had better come from a closed set of shapes.
    """

    name: str
    closed_shapes: bool

    def __call__(self, word_ids: "np.ndarray", mask: "np.ndarray", type_ids: "np.ndarray", full: bool) -> "np.ndarray":
        """int32 [b, L] each to float32 [b, dim], or [b, L, dim] for `sequence`. full: whether the shape is one of
        those that come again and again."""
        ...

    def warm(self, shapes: "Iterable[tuple[int, int]]") -> None:
        """Compiles these shapes (rows, length) now, where it compiles shape by shape."""
        ...

    @property
    def compiled_shapes(self) -> frozenset[tuple[int, int]]:
        """Those that it has compiled so far."""
        ...
