"""The ledger as a worker reaches it: a UnitLedger in an actor beside the driver."""

from collections.abc import Sequence
from typing import Any

from pipelines.job.ledger import Begun, Claim, Copy, Holder
from pipelines.job.record import Record


class RemoteLedger:
    """The ledger, kept by a UnitLedger that is a Ray actor. Each call is back only when it is done."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def arrive(self, worker: str, life: str = "", node: str = "") -> None:
        """As Ledger.arrive."""
        _answer(self._actor.arrive.remote(worker, life, node))

    def begin(self, name: str, holder: Holder, alone: bool = False) -> Begun:
        """As Ledger.begin."""
        return _answer(self._actor.begin.remote(name, holder, alone))

    def claim(self, name: str, holder: Holder) -> Claim:
        """As Ledger.claim."""
        return _answer(self._actor.claim.remote(name, holder))

    def end(self, name: str, holder: Holder, record: Record | None = None) -> None:
        """As Ledger.end."""
        _answer(self._actor.end.remote(name, holder, record))

    def tell(self, record: Record) -> None:
        """As Ledger.tell."""
        _answer(self._actor.tell.remote(record))

    def unfit(self, node: str, record: Record) -> None:
        """As Ledger.unfit."""
        _answer(self._actor.unfit.remote(node, record))

    def late(self, holder: Holder, idle: float) -> Copy | None:
        """As Ledger.late."""
        return _answer(self._actor.late.remote(holder, idle))

    def unfinished(self) -> bool:
        """As Ledger.unfinished."""
        return _answer(self._actor.unfinished.remote())

    def lost(self, call: str) -> None:
        """As Ledger.lost."""
        _answer(self._actor.lost.remote(call))

    def given_back(self, call: str) -> None:
        """As Ledger.given_back."""
        _answer(self._actor.given_back.remote(call))

    def given_up(self, call: str) -> None:
        """As Ledger.given_up."""
        _answer(self._actor.given_up.remote(call))

    def without_record(self, names: Sequence[str]) -> list[str]:
        """As Ledger.without_record."""
        return _answer(self._actor.without_record.remote(names))


def _answer(reference: Any) -> Any:
    import ray

    return ray.get(reference)
