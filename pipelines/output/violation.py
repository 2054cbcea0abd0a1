"""One thing that is wrong with an output."""

from dataclasses import dataclass

AGAIN = "run the same embed command again"


@dataclass(frozen=True)
class Violation:
    """where: a file of the output, or of the corpus. what: one line that says what is wrong, and what to do."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
