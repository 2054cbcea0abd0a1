"""A worker as far as the ledger sees it, for a process of its own."""

from pipelines.job.ledger import Copy, Holder, Ledger
from pipelines.job.record import Outcome, Record


class Speaker:
    """Says to the ledger what a worker says that does one late unit."""

    def speak(self, ledger: Ledger, unit: str, times: int) -> list[Copy | None]:
        """Asks so many times for a late unit, and does the one of that name; gives the answers."""
        holder = Holder("a", "1", "life")
        ledger.arrive("a", "life")
        asked = [ledger.late(holder, 1e9) for _ in range(times)]
        ledger.begin(unit, holder)
        ledger.claim(unit, holder)
        ledger.end(unit, holder, Record(unit, Outcome.DONE))
        return asked
