"""For how much of a run the encoders of its workers did nothing, as the records of their units tell."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Encoder:
    """A worker's encoder so far. first, last: when its first unit came to it, and when the last left it, in seconds
    since 1970. busy: seconds with a unit. units: how many it had."""

    first: float
    last: float
    busy: float
    units: int = 1

    @property
    def idle(self) -> float:
        """Seconds between the first unit and the last without any."""
        return max(self.last - self.first - self.busy, 0.0)


def with_unit(encoder: Encoder | None, start: float, stop: float) -> Encoder:
    """The encoder after one more unit, which it had from start to stop and alone; units come in any order."""
    if encoder is None:
        return Encoder(start, stop, stop - start)
    first, last, busy = min(encoder.first, start), max(encoder.last, stop), encoder.busy + stop - start
    return replace(encoder, first=first, last=last, busy=busy, units=encoder.units + 1)


def idle_share(encoders: Iterable[Encoder]) -> float | None:
    """The share of their time between first and last unit, all together, in which encoders were idle, 0 to 1; None
    where there was no such time."""
    known = list(encoders)
    seconds = sum(encoder.last - encoder.first for encoder in known)
    return sum(encoder.idle for encoder in known) / seconds if seconds > 0 else None
