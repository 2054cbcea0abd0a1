"""What encoding cost: counts that add up over batches, units and workers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EncodeStats:
    """texts: rows given. distinct: rows encoded. tokens: in the rows encoded, special ones included.

    padded_tokens: encoded positions, padding included. flop: floating-point operations of the matrix products over
    those positions, 0 where the model's graph does not tell. seconds: spent in the encoder. runtimes: what ran it, each
    named once.
    """

    texts: int = 0
    distinct: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    flop: float = 0.0
    seconds: float = 0.0
    runtimes: tuple[str, ...] = ()

    def __add__(self, other: "EncodeStats") -> "EncodeStats":
        return EncodeStats(
            self.texts + other.texts,
            self.distinct + other.distinct,
            self.tokens + other.tokens,
            self.padded_tokens + other.padded_tokens,
            self.flop + other.flop,
            self.seconds + other.seconds,
            tuple(sorted({*self.runtimes, *other.runtimes})),
        )

    @property
    def padding(self) -> float:
        """The share of the encoded positions that was padding, 0 to 1."""
        return 1 - self.tokens / self.padded_tokens if self.padded_tokens else 0.0
