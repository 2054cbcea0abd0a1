"""Who is told what happens in the lanes of a model."""

from typing import Protocol

from serving.lanes.lanes import Lane, MicroBatch


class LaneMeter(Protocol):
    """Is told of events by the threads in which they happen."""

    def micro_batch(self, batch: MicroBatch, positions: int, seconds: float) -> None:
        """A micro-batch is over. positions: that were encoded. seconds: that it took."""

    def begun(self, lane: Lane, seconds: float) -> None:
        """The first row of a request is in a micro-batch. seconds: that it waited."""

    def late(self, lane: Lane) -> None:
        """The deadline of a request passed while it waited."""

    def cancelled(self) -> None:
        """A request is not wanted any more."""

    def shed(self) -> None:
        """A request found no room."""


class _Unmetered:
    """A LaneMeter that forgets."""

    def micro_batch(self, batch: MicroBatch, positions: int, seconds: float) -> None: ...

    def begun(self, lane: Lane, seconds: float) -> None: ...

    def late(self, lane: Lane) -> None: ...

    def cancelled(self) -> None: ...

    def shed(self) -> None: ...


UNMETERED = _Unmetered()
